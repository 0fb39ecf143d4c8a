import { tick } from 'svelte';
import { failureOf, noFailure, reasonIn, type Failure } from './failure';

/** What somebody asked for on a part of the page: one thing at a time, and why the last one failed. */
export class Work {
  busy = $state(false);
  failure: Failure = $state.raw(noFailure);

  /** Why it failed, where no fields are shown that could say a part of it. */
  get reason(): string {
    return reasonIn(this.failure);
  }

  /** Does what, unless something is being done, and says whether it went well. */
  async run(what: () => Promise<unknown>): Promise<boolean> {
    if (this.busy) return false;
    const focused = document.activeElement;
    this.busy = true;
    this.failure = noFailure;
    try {
      await what();
      return true;
    } catch (err) {
      // Whoever closes the browser's own dialog knows that they did.
      if (!(err instanceof DOMException && err.name === 'NotAllowedError')) this.failure = failureOf(err);
      return false;
    } finally {
      this.busy = false;
      await tick();
      giveBack(focused);
    }
  }

  /** Does what a form is for. After a failure, the focus is on the first field that is wrong. */
  async submit(e: SubmitEvent, what: () => Promise<unknown>): Promise<void> {
    e.preventDefault();
    const form = e.currentTarget as HTMLFormElement;
    if (this.busy || (await this.run(what))) return;
    form.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }
}

/** Focuses what had the focus, unless something else has it by now: a button loses it while it is disabled. */
function giveBack(focused: Element | null): void {
  const now = document.activeElement;
  if (focused instanceof HTMLElement && (!now || (now !== focused && now.contains(focused)))) focused.focus();
}
