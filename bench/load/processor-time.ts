import { readdirSync, readFileSync } from 'node:fs';

/**
 * Processor time that a process, its threads and its children have used so far, in microseconds. The scheduler's own count is
 * exact; the clock ticks of `/proc/PID/stat` (10 ms) stand in where the kernel keeps none.
 */
export function processorTime(pid: number): number {
  return family(pid).reduce((sum, one) => sum + ofProcess(one), 0);
}

/** Resident memory of a process and its children, in bytes. */
export function residentMemory(pid: number): number {
  return family(pid).reduce((sum, one) => {
    const status = readFileSync(`/proc/${one}/status`, 'latin1');
    return sum + Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024;
  }, 0);
}

function family(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1')
    .split(' ')
    .filter(Boolean)
    .map(Number);
  return [pid, ...children.flatMap(family)];
}

function ofProcess(pid: number): number {
  try {
    let nanos = 0;
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      nanos += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0]);
    }
    return nanos / 1000;
  } catch {
    // The command's name is in parentheses and may hold spaces; user and system time are fields 14 and 15.
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)!.split(' ');
    return (Number(fields[11]) + Number(fields[12])) * 10_000;
  }
}
