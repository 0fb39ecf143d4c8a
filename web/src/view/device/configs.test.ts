import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { configOf, programs } from './configs';

const root = resolve(import.meta.dirname, '../../../..');
const documented = readFileSync(resolve(root, 'docs/mqtt.md'), 'utf8');
const mqtt = { port: 1883, tls: false, local: false };
const place = { device: { id: 'dev_1', name: 'Pump' }, key: 'dk_1', host: 'h', origin: 'https://h', mqtt };

test('examples publish to topics that the server takes readings from', () => {
  const topics = programs.flatMap((p) => configOf(p.id, place).match(/uh\/d\/dev_1\/[^"]+/g) ?? []);
  expect(topics).toHaveLength(2);
  for (const topic of topics) {
    expect(documented).toContain(`| \`${topic.replace('dev_1', 'DEVICE')}\` | the device | readings`);
  }
});

test('the Go example calls what the package has', () => {
  const source = readFileSync(resolve(root, 'client/device/device.go'), 'utf8');
  const called = [...configOf('go', place).matchAll(/\b(?:d|device)\.([A-Z]\w+)/g)].map((m) => m[1]);
  expect(called).toEqual(['Open', 'Options', 'Report', 'Run']);
  for (const name of called) expect(source).toMatch(new RegExp(`(func|type) (\\(\\w+ \\*Device\\) )?${name}\\b`));
});

test('with TLS alone, examples say so', () => {
  const secure = { ...place, mqtt: { port: 8883, tls: true, local: false } };
  const boards = ['esphome', 'tasmota', 'shelly', 'arduino'] as const;
  const programs = ['python', 'zigbee2mqtt', 'homeassistant', 'nodered'] as const;
  const options = ['certificate_authority', 'SetOption103', 'tls=', 'Secure', 'certificate validation', 'Use TLS'];
  const said = new RegExp([...options, 'type: TLS', 'mqtts:'].join('|'));
  for (const p of [...boards, ...programs]) {
    expect(configOf(p, secure)).toContain('8883');
    expect(configOf(p, secure)).toMatch(said);
  }
});
