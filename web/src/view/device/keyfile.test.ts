import { expect, test } from 'vitest';
import { keyFile, linesIn } from './keyfile';

test('a file of keys has the devices that got one, and no formulas', () => {
  const lines = keyFile([
    { result: 'created', name: 'Pump, "old"', serial: '=1+1', device: 'dev_1', key: 'dk_1' },
    { result: 'unchanged', name: 'Door', device: 'dev_2' },
    { result: 'new_key', name: 'Fan', device: 'dev_3', key: 'dk_3' },
  ]);
  expect(lines).toBe(
    'name,serial,device,key\r\n"Pump, ""old""",\'=1+1,dev_1,dk_1\r\nFan,,dev_3,dk_3\r\n',
  );
});

test('the devices of a file are counted', () => {
  expect(linesIn('name;serial\nA;1\nB;2\n;;\n\n')).toBe(2);
  expect(linesIn('\ufeff{"name":"A"}\n{"name":"B"}')).toBe(2);
  expect(linesIn('')).toBe(0);
});
