import { beforeAll, expect, test } from 'vitest';
import { language } from '../text/language.svelte';
import { failureOf, reasonOf } from './failure';

beforeAll(() => language.add(['refused']));

test('a reason that is met often is said in the words of the client', () => {
  const err = { code: 'invalid_credentials', detail: 'the name or the password is wrong' };
  expect(failureOf(err)).toEqual({ text: 'Wrong username or passphrase.', fields: {} });
});

test('a guest is told the day on which their access ended, if the server says it', () => {
  const text = (values?: object) => failureOf({ code: 'guest_ended', values }).text;
  expect(text({ until: '2026-03-14T12:00:00Z' })).toMatch(/^Your guest access ended on .*14.*\. An administrator/);
  expect(text()).toBe('This guest access has ended. An administrator can extend it.');
});

test('any other reason is the sentence of the server', () => {
  expect(failureOf({ code: 'rare', detail: 'the moon is full' }).text).toBe('The moon is full.');
  expect(failureOf(new Error()).text).not.toBe('');
});

test('what went wrong on the server has the number by which its cause is found', () => {
  const err = { kind: 'internal', detail: 'something went wrong on the server', reference: '4bf92f35' };
  expect(failureOf(err).text).toContain('4bf92f35');
  expect(failureOf({ ...err, kind: 'invalid', detail: 'too long' }).text).toBe('Too long.');
});

test('what is typed in a search stays as it is typed', () => {
  const detail = 'in: you are in no room called "attic"';
  expect(failureOf({ code: 'bad_query', detail }).text).toBe(`${detail}.`);
});

test('what a field says is not said twice', () => {
  const err = { detail: 'too short', errors: [{ pointer: '/name', detail: 'too short' }] };
  expect(failureOf(err)).toEqual({ text: '', fields: { '/name': 'Too short.' } });
});

test('a place without fields says what the fields would', () => {
  const errors = [
    { pointer: '/from', detail: 'must be a date' },
    { pointer: '/to', detail: 'is too late' },
  ];
  expect(reasonOf({ errors: errors.slice(0, 1), detail: 'must be a date' })).toBe('Must be a date.');
  expect(reasonOf({ errors })).toBe('Must be a date. Is too late.');
  expect(reasonOf({ detail: 'the moon is full' })).toBe('The moon is full.');
});

test('what is wrong with the one field of a known reason is said at it, in the words of the client', () => {
  const err = {
    code: 'name_taken',
    detail: 'this username is already taken',
    errors: [{ pointer: '/username', detail: 'already taken' }],
  };
  expect(failureOf(err)).toEqual({
    text: '',
    fields: { '/username': 'This name is taken or too similar to another one. Choose another.' },
  });
});
