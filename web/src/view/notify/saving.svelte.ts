import { reasonOf } from '../failure';

/** What becomes of choices that are saved as they are made. */
export class Saving {
  state: '' | 'saving' | 'saved' = $state('');
  /** why the last one was not saved */
  reason = $state('');
  #turn = 0;

  /** Whether it was saved. */
  async run(what: Promise<unknown>): Promise<boolean> {
    const turn = ++this.#turn;
    this.state = 'saving';
    this.reason = '';
    const failure = await what.then(
      () => '',
      (err: unknown) => reasonOf(err),
    );
    if (failure) this.reason = failure;
    if (turn === this.#turn) this.state = failure ? '' : 'saved';
    return !failure;
  }
}
