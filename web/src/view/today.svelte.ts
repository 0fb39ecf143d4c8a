/** The day it is, followed: what names days is named anew after midnight. */
class Today {
  #day = $state(midnight());

  /** the local midnight before now, in milliseconds since 1970 */
  get day(): number {
    void this.#day; // follows it
    return midnight();
  }

  /** Follows the clock, also over a sleep of the machine; returns how to stop. */
  start(): () => void {
    const timer = setInterval(() => (this.#day = midnight()), 10_000);
    return () => clearInterval(timer);
  }
}

const midnight = (): number => new Date().setHours(0, 0, 0, 0);

export const today = new Today();
