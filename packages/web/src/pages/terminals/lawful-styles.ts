/**
 * xterm writes `<style>` elements, and its DOM renderer style attributes, and the Content-Security-Policy refuses both (`style-src
 * 'self'`, nothing inline). Here the same rules go ways that the policy leaves to scripts of ours: constructed style sheets, and an
 * element's style object.
 */
export function createLawfulStyles(page: Document) {
  const sheets = new Set<CSSStyleSheet>();

  function leave(sheet: CSSStyleSheet): void {
    sheets.delete(sheet);
    page.adoptedStyleSheets = page.adoptedStyleSheets.filter(other => other !== sheet);
  }

  /** A stand-in: the policy refuses even an empty style element. What is written into it is a sheet of the page, until it is removed. */
  function createStyle(): HTMLElement {
    const element = Document.prototype.createElement.call(page, 'template');
    const sheet = new CSSStyleSheet();
    sheets.add(sheet);
    page.adoptedStyleSheets.push(sheet);
    let text = '';
    Object.defineProperties(element, {
      textContent: {
        get: () => text,
        set(css: string) {
          text = css;
          sheet.replaceSync(css);
        },
      },
      remove: {
        value() {
          leave(sheet);
          Element.prototype.remove.call(element);
        },
      },
    });
    return element;
  }

  function createElement(name: string, options?: ElementCreationOptions): HTMLElement {
    return name === 'style' ? createStyle() : Document.prototype.createElement.call(page, name, options);
  }

  return {
    /** While this runs, style elements that are made are stand-ins. (xterm's own `documentOverride` does not reach every place.) */
    during(work: () => void): void {
      page.createElement = createElement as Document['createElement'];
      try {
        work();
      } finally {
        Reflect.deleteProperty(page, 'createElement');
      }
    },
    dispose(): void {
      for (const sheet of [...sheets]) leave(sheet);
    },
  };
}

// Cells of the DOM renderer are spans that get their true colours by `setAttribute('style', …)`, at every drawing.
HTMLSpanElement.prototype.setAttribute = function setAttribute(name: string, value: string): void {
  if (name === 'style') this.style.cssText = value;
  else Element.prototype.setAttribute.call(this, name, value);
};
