import { FieldBlock } from './fields.ts';

const STATUS = /^[1-9]\d\d$/;

/** The head of an answer, a hint before it, or what trails it. */
export class ResponseHead extends FieldBlock {
  /** Zero where none was said. */
  status = 0;
  protected readonly wrongPseudo = 'a head without a status that is one';

  /** RFC 9113 section 8.3.2. */
  protected pseudo(name: string, value: string): boolean {
    if (name !== ':status' || this.status !== 0 || !STATUS.test(value)) return false;
    this.status = Number(value);
    return true;
  }
}
