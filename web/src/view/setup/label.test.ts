import { expect, test } from 'vitest';
import { readLabel } from './label';

test('the QR code of a board is read, and no other', () => {
  const text = '{"ver":"v1","name":"PROV_A1B2C3","username":"wifiprov","pop":"abcd","transport":"softap","security":2}';
  expect(readLabel(text)).toEqual({
    name: 'PROV_A1B2C3',
    transport: 'softap',
    pop: 'abcd',
    username: 'wifiprov',
    security: 2,
  });
  expect(readLabel('{"ver":"v1","name":"PROV_1","transport":"ble"}')).toEqual({
    name: 'PROV_1',
    transport: 'ble',
    pop: '',
  });
  for (const bad of ['', 'https://example.org', '{"ver":"v2","name":"PROV_1"}', '{"ver":"v1"}', 'null', '"v1"', '[]']) {
    expect(readLabel(bad)).toBeUndefined();
  }
});
