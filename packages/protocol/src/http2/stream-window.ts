import { FIRST_WINDOW, protocolError } from './codes.ts';

/** The window that every stream has toward us, as it is announced and confirmed (RFC 9113 sections 6.5.3 and 6.9.2). */
export class StreamWindow {
  #confirmed = FIRST_WINDOW;
  /** What was announced since, in turn. */
  readonly #unconfirmed: number[] = [];
  /** What a peer may take at present: the widest of what it may have heard. */
  allowed = FIRST_WINDOW;

  /** Whether the peer has still to confirm one. */
  get unsettled(): boolean {
    return this.#unconfirmed.length > 0;
  }

  /** What it will be. */
  get announced(): number {
    return this.#unconfirmed.at(-1) ?? this.#confirmed;
  }

  /** @returns by how much the windows of open streams change */
  announce(window: number): number {
    this.#unconfirmed.push(window);
    return this.#change();
  }

  /** The same. Only now has the peer to hold to one that is narrower. @throws Http2Error */
  confirm(): number {
    const window = this.#unconfirmed.shift();
    if (window === undefined) throw protocolError('it confirms what was not said');
    this.#confirmed = window;
    return this.#change();
  }

  #change(): number {
    const by = Math.max(this.#confirmed, ...this.#unconfirmed) - this.allowed;
    this.allowed += by;
    return by;
  }
}
