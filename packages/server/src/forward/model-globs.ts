/** Whether a model's name fits one of an upstream's globs; `*` stands for any run of characters, everything else for itself. */
export function matchesModel(globs: readonly string[], model: string): boolean {
  return globs.some(glob => fits(glob, model));
}

/** Each piece between stars is taken where it first occurs, so a name is read once; a regular expression would try every way to divide it. */
function fits(glob: string, model: string): boolean {
  const pieces = glob.split('*');
  if (pieces.length === 1) return glob === model;
  const first = pieces[0]!;
  const last = pieces.at(-1)!;
  if (!model.startsWith(first)) return false;
  let at = first.length;
  for (let n = 1; n < pieces.length - 1; n++) {
    const found = model.indexOf(pieces[n]!, at);
    if (found < 0) return false;
    at = found + pieces[n]!.length;
  }
  return model.length - last.length >= at && model.endsWith(last);
}
