/** Columns as wide as their widest cell, two spaces apart. Control characters are shown, not sent to the terminal. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows].map(row => row.map(cell => cell.replace(/\p{Cc}/gu, '\u{FFFD}')));
  const widths = head.map((_, column) => Math.max(...all.map(row => row[column]!.length)));
  return all
    .map(
      row =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column]!))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}
