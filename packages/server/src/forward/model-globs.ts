const compiled = new Map<string, RegExp>();

/** Whether a model's name fits one of an upstream's globs; `*` stands for any run of characters, everything else for itself. */
export function matchesModel(globs: readonly string[], model: string): boolean {
  return globs.some(glob => pattern(glob).test(model));
}

function pattern(glob: string): RegExp {
  let known = compiled.get(glob);
  if (known === undefined) {
    const escaped = glob.split(/\*+/).map(part => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
    compiled.set(glob, (known = new RegExp(`^${escaped.join('[^]*')}$`)));
  }
  return known;
}
