import './glyph.css';

/** The mark: a gate seen through a gate, its second door ajar. */
export function Glyph({ size = 28 }: { size?: number }) {
  return (
    <svg
      className="glyph"
      width={size}
      height={size}
      viewBox="0 0 32 32"
      aria-hidden="true"
      focusable="false"
    >
      <path className="glyph-wall" d="M3 29.5V15a13 13 0 0 1 26 0v14.5z" />
      <path className="glyph-way" d="M8.5 29.5V16a7.5 7.5 0 0 1 15 0v13.5z" />
      <path className="glyph-door" d="M16 8.5a7.5 7.5 0 0 1 7.5 7.5v13.5L16 25.9z" />
    </svg>
  );
}

export function Wordmark() {
  return (
    <span className="wordmark">
      <Glyph />
      <span>Sallyport</span>
    </span>
  );
}

const STONES = 11;
const OUTER = 210;
const INNER = 168;

/** The ring of stones over a gate, its keystone a little proud. Decoration. */
export function Arch() {
  const at = (radius: number, turn: number) => {
    const angle = Math.PI * (1 - turn);
    return `${(OUTER + 6 + radius * Math.cos(angle)).toFixed(1)} ${(OUTER + 12 - radius * Math.sin(angle)).toFixed(1)}`;
  };
  const joint = 0.0035;
  return (
    <svg
      className="arch"
      viewBox={`0 0 ${OUTER * 2 + 12} ${OUTER + 12}`}
      aria-hidden="true"
      focusable="false"
    >
      <path className="arch-way" d={`M${at(INNER, 0)} A${INNER} ${INNER} 0 0 1 ${at(INNER, 1)}z`} />
      {Array.from({ length: STONES }, (_, index) => {
        const keystone = index === (STONES - 1) / 2;
        const outer = OUTER + (keystone ? 10 : 0);
        const inner = INNER - (keystone ? 8 : 0);
        const from = index / STONES + joint;
        const to = (index + 1) / STONES - joint;
        return (
          <path
            key={from}
            className={keystone ? 'arch-keystone' : 'arch-stone'}
            d={`M${at(inner, from)} L${at(outer, from)} A${outer} ${outer} 0 0 1 ${at(outer, to)} L${at(inner, to)} A${inner} ${inner} 0 0 0 ${at(inner, from)}z`}
          />
        );
      })}
    </svg>
  );
}
