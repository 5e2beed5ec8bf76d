// SPDX-License-Identifier: MIT
// The machine: programs pinned to its CPUs, time that its host gave to others, its description.
import {spawnSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import os from 'node:os';

const kLastLines = 5;

/** Standard output of a program; throws with what it said when it fails. */
export function run_program(program, args, {stdin = 'ignore'} = {}) {
  const {status, signal, error, stdout, stderr} = spawnSync(program, args,
    {encoding: 'utf8', maxBuffer: 1 << 28, stdio: [stdin, 'pipe', 'pipe']});
  if (status === 0) return stdout;
  const said = (stderr || stdout || '').trimEnd().split('\n').slice(-kLastLines).join('\n  ');
  const how = error?.message ?? (signal ? `signal ${signal}` : `exit status ${status}`);
  throw new Error(`${[program, ...args].join(' ')}: expected success, found ${how}\n  ${said}`);
}

/** Runs a program on the first `threads` of `cpus`. */
export const run_pinned = (cpus, threads, program, args) =>
  run_program('taskset', ['--cpu-list', cpus.slice(0, threads).join(','), program, ...args]);

/** The text of a JSON value that `program` printed. */
export function parse_json(program, text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${program}: expected JSON, found ${error.message}: ${text.slice(0, 200)}`);
  }
}

/** {steal, total} in clock ticks since boot, of the text of /proc/stat. Guest time is part of user time. */
export function busy_times(proc_stat = readFileSync('/proc/stat', 'utf8')) {
  const [user, nice, system, idle, iowait, irq, softirq, steal] =
    proc_stat.match(/^cpu +(.*)$/m)[1].split(' ').map(Number);
  return {steal, total: user + nice + system + idle + iowait + irq + softirq + steal};
}

/** CPUs that this process may use, as "0-1" in /proc/self/status says. */
export function allowed_cpus(status = readFileSync('/proc/self/status', 'utf8')) {
  return status.match(/^Cpus_allowed_list:\s*(.*)$/m)[1].split(',').flatMap((part) => {
    const [first, last = first] = part.split('-').map(Number);
    return Array.from({length: last - first + 1}, (_, i) => first + i);
  });
}

/** The machine of run_contest; the probes take `threads` threads. */
export const machine_of = (program, cpus, threads) => ({
  busy_times,
  probe: () => parse_json(program, run_pinned(cpus, threads, program, [String(threads)])),
});

export function describe_machine(cpus) {
  return {
    cpu: os.cpus()[0]?.model ?? 'unknown',
    cores: os.cpus().length,
    cpus_used: cpus,
    memory_gib: Math.round(os.totalmem() / 2 ** 30),
    virtual: /^flags.*\bhypervisor\b/m.test(readFileSync('/proc/cpuinfo', 'utf8')),
    kernel: `${os.type()} ${os.release()}`,
    load_average: os.loadavg()[0],
    date: new Date().toISOString(),
  };
}
