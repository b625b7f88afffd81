import type { AnchorHTMLAttributes, ButtonHTMLAttributes } from 'react';
import './button.css';

type Look = 'solid' | 'plain' | 'quiet' | 'danger';

/** A button. While `busy` it keeps its place and its focus, and does nothing. */
export function Button({
  look = 'plain',
  busy = false,
  type = 'button',
  onClick,
  children,
  ...rest
}: { look?: Look; busy?: boolean } & Omit<ButtonHTMLAttributes<HTMLButtonElement>, 'className'>) {
  return (
    <button
      type={type}
      className={`button ${look}`}
      aria-disabled={busy || undefined}
      onClick={busy ? event => event.preventDefault() : onClick}
      {...rest}
    >
      {children}
    </button>
  );
}

/** A link that leaves the console, dressed as a button. */
export function ButtonLink({
  look = 'plain',
  children,
  ...rest
}: { look?: Look } & Omit<AnchorHTMLAttributes<HTMLAnchorElement>, 'className'>) {
  return (
    <a className={`button ${look}`} {...rest}>
      {children}
    </a>
  );
}
