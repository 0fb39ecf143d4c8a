// What is unread in one room, but for its threads. The server counts up to an event (its head at that
// time); what comes later is counted here, each event once, whichever way and in
// whatever order it and the read marks come.

export class Tally {
  #head = 0;
  #unread = 0;
  #mentions = 0;
  #read = 0;
  /** messages after the server's count, and whether they mention the reader */
  #since = new Map<number, boolean>();

  /** Takes the server's count of a room, which was at head. */
  start(c: { head: number; read: number; unread: number; mentions: number }): this {
    this.#head = c.head;
    this.#read = c.read;
    this.#unread = c.unread;
    this.#mentions = c.mentions;
    this.#since = new Map([...this.#since].filter(([seq]) => seq > c.head));
    return this;
  }

  get unread(): number {
    return this.#unread + this.#since.size;
  }

  get mentions(): number {
    return this.#mentions + [...this.#since.values()].filter(Boolean).length;
  }

  /** Counts a message of somebody else. False if it is counted or read already. */
  created(seq: number, mention: boolean): boolean {
    if (seq <= this.#head || seq <= this.#read || this.#since.has(seq)) return false;
    this.#since.set(seq, mention);
    return true;
  }

  /**
   * Takes an edit of somebody else's message, by the event seq. was says whether
   * the earlier text mentioned the reader, undefined if nobody here knows it. True
   * if the reader is mentioned now, and was not before, in a message not yet read.
   */
  edited(seq: number, message: number, mention: boolean, was: boolean | undefined): boolean {
    if (seq <= this.#head || message <= this.#read) return false;
    const before = this.#since.get(message) ?? was;
    if (before === undefined || before === mention) return false;
    if (this.#since.has(message)) this.#since.set(message, mention);
    else this.#mentions = Math.max(0, this.#mentions + (mention ? 1 : -1));
    return mention;
  }

  /** Takes back a message of somebody else, which the event seq deleted. */
  deleted(seq: number, message: number, mention: boolean): void {
    if (this.#since.delete(message) || seq <= this.#head || message <= this.#read) return;
    this.#unread = Math.max(0, this.#unread - 1);
    if (mention) this.#mentions = Math.max(0, this.#mentions - 1);
  }

  /**
   * Takes a read mark. The counts in it are as old as the mark: a message that
   * came while the mark was on its way may be missing from them, so for what is
   * known here they do not matter. mentions: all that are left, those in threads among them; undefined: that is
   * not known yet, and none is taken back that may be in a thread.
   */
  marked(read: number, unread = 0, mentions?: number): void {
    if (read < this.#read) return;
    this.#read = read;
    this.#since = new Map([...this.#since].filter(([seq]) => seq > read));
    const all = read >= this.#head;
    this.#unread = all ? 0 : Math.max(0, unread - this.#since.size);
    if (mentions !== undefined)
      this.#mentions = Math.max(0, mentions - [...this.#since.values()].filter(Boolean).length);
  }
}
