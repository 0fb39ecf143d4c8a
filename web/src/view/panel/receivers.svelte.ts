import { Fresh } from '../fresh.svelte';
import { t } from '../text';
import { overlay } from '../ui.svelte';
import { Work } from '../work.svelte';

/** An address elsewhere to which the server posts, with a secret by which it knows the server. */
export interface Receiver {
  id: string;
  name: string;
  url?: string;
  /** only when it is made or replaced */
  secret?: string;
  /** why nothing is posted to it */
  off?: string;
  failed_at?: string;
}

/** What is done with the receivers of one kind, and how that is said. */
export interface Kind<T extends Receiver> {
  all(): Promise<T[]>;
  switch(id: string, on: boolean): Promise<unknown>;
  /** the answer has the new secret */
  rotate(id: string): Promise<T>;
  remove(id: string): Promise<void>;
  called(x: T): string;
  secretText(): string;
  removeText(): string;
}

/** The receivers of one kind, and what somebody does with them. */
export class Receivers<T extends Receiver> {
  readonly kind: Kind<T>;
  /** the one whose secret is shown */
  made: T | undefined = $state.raw();
  readonly work = new Work();
  readonly list: Fresh<T[]>;

  constructor(kind: Kind<T>) {
    this.kind = kind;
    this.list = new Fresh(() => kind.all());
  }

  set(x: T, on: boolean): void {
    void this.work.run(async () => {
      await this.kind.switch(x.id, on);
      await this.list.load();
    });
  }

  renew(x: T): void {
    const { called, secretText } = this.kind;
    overlay.open({
      name: 'confirm',
      title: t('hook.secret-title', { name: called(x) }),
      text: secretText(),
      action: t('hook.secret-new'),
      run: async () => {
        this.made = await this.kind.rotate(x.id);
        await this.list.load();
      },
    });
  }

  remove(x: T): void {
    const { called, removeText } = this.kind;
    overlay.open({
      name: 'confirm',
      title: t('hook.remove-title', { name: called(x) }),
      text: removeText(),
      action: t('hook.remove'),
      run: async () => {
        await this.kind.remove(x.id);
        if (this.made?.id === x.id) this.made = undefined;
        await this.list.load();
      },
    });
  }
}
