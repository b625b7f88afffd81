/**
 * Headers as OpenTelemetry writes them in one text: `name=value,name=value`, values percent-encoded (W3C Baggage section 3.2.1, without
 * properties). Null for what is none.
 */
export function readHeaderList(text: string): Record<string, string> | null {
  const headers: Record<string, string> = {};
  for (const pair of text.split(',')) {
    const [, name, value] = /^\s*([A-Za-z0-9!#$%&'*+.^_`|~-]+)\s*=\s*(.*?)\s*$/.exec(pair) ?? [];
    const decoded = name === undefined ? null : decodedOrNull(value!);
    if (decoded === null || !/^[\x20-\x7e]*$/.test(decoded)) return null;
    headers[name!.toLowerCase()] = decoded;
  }
  return headers;
}

function decodedOrNull(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
