import { expect, test } from 'vitest';
import table from '../../../../internal/phrase/testdata/reminders.json';
import { texts } from '../../testing/texts';
import { NoPhrase, readPhrase } from './phrase';

interface Row {
  typed: string;
  language?: string;
  error?: string;
}

test.each(table.understood as Row[])('$typed', ({ typed, language = 'en', ...wanted }) => {
  expect(readPhrase(typed, table.now, language)).toEqual(wanted);
});

test.each(table.refused as Row[])('$typed is refused', ({ typed, language = 'en', error }) => {
  expect(() => readPhrase(typed, table.now, language)).toThrow(new NoPhrase(error as NoPhrase['reason']));
});

test('the times that are offered and the examples are understood in each language', () => {
  for (const language of ['en', 'de']) {
    const offered = ['soon', 'tomorrow', 'workdays'].map((n) => `${texts('typed', language)[`typed.when-${n}`]} tea`);
    const examples = Object.values(texts('later', language)).flatMap((text) => text.split('/remind ').slice(1));
    expect(examples).toHaveLength(5);
    for (const text of [...offered, ...examples]) expect(readPhrase(text, table.now, language).text).not.toBe('');
  }
});

test('no text takes long to read', () => {
  const begun = performance.now();
  for (const word of ['in ', 'in 1h ', 'every mon and ', 'every month on ', 'at ', '9 ', 'tomorrow '])
    try {
      readPhrase(word.repeat(4000 / word.length), table.now, 'de');
    } catch (err) {
      expect(err).toBeInstanceOf(NoPhrase);
    }
  expect(performance.now() - begun).toBeLessThan(1000);
});
