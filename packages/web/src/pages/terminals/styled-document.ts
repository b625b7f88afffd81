/** A style attribute set by name is inline too; the same rules set through the element's style object are not. */
function setAttribute(this: HTMLElement, name: string, value: string): void {
  if (name === 'style') this.style.cssText = value;
  else Element.prototype.setAttribute.call(this, name, value);
}

/**
 * The page's document for a library that writes `<style>` elements and style attributes, which the Content-Security-Policy refuses
 * (`style-src 'self'`, nothing inline). What it writes into such an element becomes a constructed style sheet, which the policy lets a
 * script of ours make. Everything else is the document as it is.
 */
export function createStyledDocument(page: Document) {
  const sheets = new Set<CSSStyleSheet>();

  function leave(sheet: CSSStyleSheet): void {
    sheets.delete(sheet);
    page.adoptedStyleSheets = page.adoptedStyleSheets.filter(other => other !== sheet);
  }

  /** A stand-in: the policy refuses even an empty style element. */
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
    if (name === 'style') return createStyle();
    const element = Document.prototype.createElement.call(page, name, options);
    if (name === 'span') element.setAttribute = setAttribute;
    return element;
  }

  return {
    document: new Proxy(page, {
      get(target, name) {
        if (name === 'createElement') return createElement;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
      set: (target, name, value) => Reflect.set(target, name, value, target),
    }),
    /** For what takes the page's own document whatever it was given (xterm 6.0 for the style of its scroll bar), while it does so. */
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
