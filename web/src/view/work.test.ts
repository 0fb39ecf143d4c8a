import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Work } from './work.svelte';

/** A part of a page, as far as Work looks at it. */
class Part {
  static focused: Part;
  isConnected = true;
  constructor(
    readonly parts: Part[] = [],
    readonly wrong?: Part,
  ) {}
  contains(other: Part): boolean {
    return other === this || this.parts.some((p) => p.contains(other));
  }
  querySelector() {
    return this.wrong;
  }
  focus() {
    if (this.isConnected) Part.focused = this;
  }
}

const button = new Part();
const field = new Part();
const elsewhere = new Part();
const form = new Part([button, field], field);
const body = new Part([form, elsewhere]);

beforeEach(() => {
  vi.stubGlobal('HTMLElement', Part);
  vi.stubGlobal('document', {
    get activeElement() {
      return Part.focused;
    },
  });
  Part.focused = button;
  button.isConnected = true;
});
afterEach(() => vi.unstubAllGlobals());

/** What a browser does with a button that is disabled while the work goes on, and how that ends. */
const disables = (end: () => void) => () => {
  Part.focused = body;
  return Promise.resolve().then(end);
};
const refused = (detail: string, pointer?: string) => () => {
  throw Object.assign(new Error(), { detail, errors: pointer ? [{ pointer, detail }] : [] });
};
const submitted = () => ({ preventDefault: vi.fn(), currentTarget: form }) as unknown as SubmitEvent;

test('one thing is done at a time', async () => {
  const work = new Work();
  let done: (() => void) | undefined;
  const first = work.run(() => new Promise<void>((resolve) => (done = resolve)));
  expect(work.busy).toBe(true);
  const second = vi.fn();
  expect(await work.run(second)).toBe(false);
  expect(second).not.toHaveBeenCalled();
  done?.();
  expect(await first).toBe(true);
  expect(work.busy).toBe(false);
});

test('why it failed is said until the next try', async () => {
  const work = new Work();
  expect(await work.run(refused('too short', '/name'))).toBe(false);
  expect(work.failure).toEqual({ text: '', fields: { '/name': 'Too short.' } });
  expect(work.reason).toBe('Too short.');
  await work.run(() => Promise.resolve());
  expect(work.reason).toBe('');
});

test('whoever closes the dialog of the browser is not told of it', async () => {
  const work = new Work();
  const closed = new DOMException('', 'NotAllowedError');
  expect(await work.run(() => Promise.reject(closed))).toBe(false);
  expect(work.reason).toBe('');
});

test('the focus comes back to the button, unless it is elsewhere or the button is gone', async () => {
  const work = new Work();
  await work.run(disables(() => {}));
  expect(Part.focused).toBe(button);
  await work.run(disables(() => elsewhere.focus()));
  expect(Part.focused).toBe(elsewhere);
  button.focus();
  await work.run(disables(() => (button.isConnected = false)));
  expect(Part.focused).toBe(body);
});

test('after a form was refused, the focus is on the field that is wrong', async () => {
  const work = new Work();
  const e = submitted();
  await work.submit(e, disables(refused('taken', '/username')));
  expect(e.preventDefault).toHaveBeenCalled();
  expect(Part.focused).toBe(field);
});

test('a second try while the first goes on moves no focus', async () => {
  const work = new Work();
  let done: (() => void) | undefined;
  const first = work.submit(submitted(), () => new Promise<void>((resolve) => (done = resolve)));
  await work.submit(submitted(), refused('taken'));
  expect(Part.focused).toBe(button);
  done?.();
  await first;
});
