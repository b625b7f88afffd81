/**
 * Goes on with a value that may already be here: synchronously when it is, which is what keeps the warm path free of
 * promises (performance.md rule 1).
 */
export function ready<T, R>(value: T | Promise<T>, next: (value: T) => R | Promise<R>): R | Promise<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}
