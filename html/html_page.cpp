// SPDX-License-Identifier: MIT
#include "html_page.h"

#include "html_text.h"

namespace bitnet {
namespace {

// Colours after Okabe and Ito: told apart by all kinds of colour vision, and never alone in saying
// something. Numbers share a width, so that columns can be compared at a glance.
constexpr const char* kSharedStyle = R"css(
:root{--page:#f7f6f3;--card:#fff;--ink:#1c1f24;--muted:#626a75;--line:#e3e1db;
--neg:#0068a8;--zero:#d9d7d1;--pos:#bf4d00;--on-neg:#fff;--on-zero:#1c1f24;--on-pos:#fff;
--bars:#4f6f8f;--outlier:#bf4d00;--alarm:#b00020;--on-part:#fff;
--embedding:#0068a8;--attention:#bf4d00;--feed-forward:#00765a;--norm:#9c4173;--head:#6d5a00;--other:#666e79}
@media (prefers-color-scheme:dark){:root{--page:#121417;--card:#1a1d22;--ink:#e8e6e1;--muted:#9aa2ad;--line:#2c3138;
--neg:#62b6ee;--zero:#454b54;--pos:#eda33b;--on-neg:#10151a;--on-zero:#e8e6e1;--on-pos:#10151a;
--bars:#7fa3c7;--outlier:#eda33b;--alarm:#ff8a95;--on-part:#10151a;
--embedding:#62b6ee;--attention:#eda33b;--feed-forward:#3cc59c;--norm:#e2a0c6;--head:#ddd06a;--other:#9aa2ad}}
*{box-sizing:border-box}[hidden]{display:none!important}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;
font-variant-numeric:tabular-nums;-webkit-text-size-adjust:100%}
main{max-width:1240px;margin:0 auto;padding:40px 28px 80px}
code{font:.92em/1.4 ui-monospace,"SF Mono",Menlo,Consolas,monospace;overflow-wrap:anywhere}
.muted{color:var(--muted)}
.over{margin:0;color:var(--muted);font-size:13px;letter-spacing:.08em;text-transform:uppercase}
h1{margin:2px 0 0;font-size:clamp(26px,4.4vw,42px);line-height:1.15;letter-spacing:-.02em;overflow-wrap:anywhere}
.under{margin:8px 0 24px;color:var(--muted);overflow-wrap:anywhere}
h2{margin:0 0 14px;font-size:20px;letter-spacing:-.01em}
section{background:var(--card);border:1px solid var(--line);border-radius:14px;padding:22px 24px;margin-top:22px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(140px,1fr));gap:12px;margin:0}
.tile{background:var(--card);border:1px solid var(--line);border-radius:14px;padding:14px 18px;display:flex;flex-direction:column}
.tile dd{margin:0;font-size:25px;font-weight:650;letter-spacing:-.02em;white-space:nowrap}
.tile dt{color:var(--muted);font-size:13px}
.warning{margin:14px 0 0;padding:10px 16px;border-left:4px solid var(--alarm);background:var(--card);border-radius:6px;overflow-wrap:anywhere}
svg{display:block}
.dot{display:inline-block;width:10px;height:10px;border-radius:3px;margin-right:8px;flex:none}
table{width:100%;border-collapse:collapse;font-size:14px}
th,td{padding:7px 10px;text-align:right;border-bottom:1px solid var(--line);font-weight:400;vertical-align:middle}
tbody tr:last-child>*{border-bottom:0}
thead th{color:var(--muted);font-size:12.5px;white-space:nowrap}
th:first-child,td:first-child{text-align:left;padding-left:0}
th:last-child,td:last-child{padding-right:0}
figure{margin:0 0 26px}figure:last-child{margin-bottom:0}
figcaption{display:flex;flex-wrap:wrap;gap:2px 10px;align-items:baseline;margin-bottom:8px;color:var(--muted);font-size:13px}
figcaption b{color:var(--ink);font-size:15px}
@media (max-width:820px){main{padding:24px 14px 60px}section{padding:16px}}
@media print{section,.tile{break-inside:avoid-page;border-color:#bbb}}
)css";

}  // namespace

std::string to_html(const HtmlPage& page) {
  std::string html = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">";
  html += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">";
  html += "<meta name=\"color-scheme\" content=\"light dark\">";
  // Even if a string found its way into markup, nothing would be fetched.
  html += "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; ";
  html += "style-src 'unsafe-inline'";
  html += page.script.empty() ? "\">" : "; script-src 'unsafe-inline'\">";
  if (page.reload_seconds > 0) {
    html += "<meta http-equiv=\"refresh\" content=\"" + std::to_string(page.reload_seconds) + "\">";
  }
  html += "<title>" + html_escape(page.title) + "</title><style>";
  html += kSharedStyle;
  html += page.style;
  html += "</style></head>\n<body><main>\n" + page.body + "</main>";
  if (!page.script.empty()) {
    html += "<script>";
    html += page.script;
    html += "</script>";
  }
  return html + "</body></html>\n";
}

std::string tile(std::string_view value, std::string_view label) {
  std::string html = "<div class=\"tile\"><dd>";
  html += value;
  html += "</dd><dt>";
  html += label;
  return html + "</dt></div>";
}

}  // namespace bitnet
