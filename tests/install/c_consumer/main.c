// SPDX-License-Identifier: MIT
// A user of the installed library who writes C: the folder in argv continues a text. Oracle: without
// one, a file that is not there; all of the library is linked either way.
#include <bitnet/c_api.h>

#include <stdio.h>
#include <string.h>

static int print_text(void* user_data, uint32_t token, const char* text, size_t length) {
  (void)user_data;
  (void)token;
  fwrite(text, 1, length, stdout);
  return 0;
}

int main(int argc, char** argv) {
  static const char kPrompt[] = "It is a truth universally acknowledged";
  bitnet_error error;
  bitnet_model* model = bitnet_model_load(argc > 1 ? argv[1] : "/nonexistent", NULL, &error);
  if (argc == 1) {
    printf("%s: %s\n", bitnet_version(), error.message);
    return model == NULL && error.status == BITNET_IO ? 0 : 1;
  }
  bitnet_session* session = bitnet_session_new(model, NULL, &error);
  bitnet_generation_options options = bitnet_default_generation_options();
  options.max_new_tokens = 12;
  const bitnet_status status = bitnet_session_generate_text(session, kPrompt, strlen(kPrompt),
                                                            &options, print_text, NULL, &error);
  if (status != BITNET_OK) fprintf(stderr, "%s\n", error.message);
  bitnet_session_free(session);
  bitnet_model_free(model);
  return status == BITNET_OK ? 0 : 1;
}
