import { Refusal } from '../net/api';

/** Does some work; if the server wants to know first that it is still the same person, asks them. */
export type Asker = <T>(work: () => Promise<T>) => Promise<T>;

/** confirm: asks the user to prove who they are */
export function asker(confirm: () => Promise<boolean>): Asker {
  return async (work) => {
    try {
      return await work();
    } catch (err) {
      if (!(err instanceof Refusal) || err.code !== 'step_up_required' || !(await confirm())) throw err;
      return work();
    }
  };
}
