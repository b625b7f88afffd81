import type { Bus, Notice } from '../../platform/bus.ts';
import type { Principal } from '../../terms/principal.ts';
import type { Upstream } from '../../terms/upstream.ts';
import type { HeldBack, HeldListener } from '../held-back.ts';
import type { Notification } from '../json-rpc.ts';
import type { Members } from './members.ts';
import type { Patience } from './patience.ts';

export interface PartsDeps {
  readonly members: Members;
  readonly patience: Patience;
  readonly bus: Pick<Bus, 'subscribe'>;
  /** Begins a conversation with one of the servers. @throws AppError */
  open(upstream: Upstream, listener: HeldListener): Promise<HeldBack>;
}

/** What is heard of the servers behind one client. */
export interface PartsListener {
  stray(upstream: Upstream, message: Notification): void;
  /** A server was there for the first time, or again. */
  opened(upstream: Upstream, back: HeldBack): void;
  missing(upstream: Upstream, why: string): void;
  /** There are others than before. */
  changed(): void;
  /** What the user may do has changed: it is not known what of this still holds. */
  over(): void;
}

interface Part {
  readonly upstream: Upstream;
  readonly opening: Promise<HeldBack>;
  back: HeldBack | null;
}

/** The servers that stand behind one client of the joined endpoint: each has a conversation of its own, and none hears of another. */
export class Parts {
  readonly #deps: PartsDeps;
  readonly #listener: PartsListener;
  readonly #all = new Map<string, Part>();
  readonly #unsubscribe: () => void;
  #principal: Principal;
  #over = false;

  constructor(deps: PartsDeps, principal: Principal, listener: PartsListener) {
    this.#deps = deps;
    this.#principal = principal;
    this.#listener = listener;
    this.#unsubscribe = deps.bus.subscribe(notice => this.#heard(notice));
  }

  /** Those that are there now. */
  get open(): readonly { upstream: Upstream; back: HeldBack }[] {
    return [...this.#all.values()].flatMap(({ upstream, back }) =>
      back === null ? [] : [{ upstream, back }],
    );
  }

  /** Begins with all of them. Resolves when each is there, or is not waited for. @returns whether one is missing */
  async begin(): Promise<boolean> {
    const { members, patience } = this.#deps;
    const met = await Promise.all(
      members.of(this.#principal).map(upstream =>
        patience
          .within(this.#principal, upstream, () => this.get(upstream))
          .then(
            () => true,
            () => {
              // When it comes after all, there is more than was said.
              this.get(upstream).then(
                () => this.#listener.changed(),
                () => {},
              );
              return false;
            },
          ),
      ),
    );
    return met.includes(false);
  }

  /** As the caller may use it now. @throws AppError */
  get(upstream: Upstream): Promise<HeldBack> {
    const known = this.#all.get(upstream.id);
    if (known !== undefined) return known.opening;
    let over = false;
    const opening = this.#deps.open(upstream, {
      stray: message => {
        if (!over) this.#listener.stray(upstream, message);
      },
      closed: () => {
        over = true;
        if (this.#all.get(upstream.id) === part) this.#all.delete(upstream.id);
      },
    });
    const part: Part = { upstream, opening, back: null };
    this.#all.set(upstream.id, part);
    opening.then(
      back => {
        part.back = back;
        if (this.#over || this.#all.get(upstream.id) !== part) back.close();
        else this.#listener.opened(upstream, back);
      },
      (error: Error) => {
        if (this.#all.get(upstream.id) === part) this.#all.delete(upstream.id);
        if (!this.#over) this.#listener.missing(upstream, error.message);
      },
    );
    return opening;
  }

  /** Who calls now: the same user, of whom other things may hold. */
  seen(principal: Principal): void {
    this.#principal = principal;
  }

  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#unsubscribe();
    for (const id of [...this.#all.keys()]) this.#drop(id);
  }

  #heard(notice: Notice): void {
    if (notice.topic === 'user-changed' && notice.userId === this.#principal.userId) this.#listener.over();
    if (notice.topic !== 'upstream-changed' || this.#over) return;
    const now = this.#deps.members.of(this.#principal).find(({ id }) => id === notice.upstreamId);
    const known = this.#all.get(notice.upstreamId);
    if (now === undefined && known === undefined) return;
    if (known !== undefined) this.#drop(notice.upstreamId);
    if (now !== undefined) this.get(now).catch(() => {});
    this.#listener.changed();
  }

  #drop(id: string): void {
    const part = this.#all.get(id);
    this.#all.delete(id);
    part?.back?.close();
  }
}
