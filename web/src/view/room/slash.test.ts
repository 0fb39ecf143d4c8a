import { expect, test } from 'vitest';
import type { Actuator, FleetDevice } from '../fleetport';
import { actionsOf, NotACommand, parse, parseGroup } from './slash';

const device = (id: string, name: string, actuators: Actuator[]) =>
  ({ id, name, keys: [], created_at: '', owner: {}, capabilities: { actuators } }) as unknown as FleetDevice;

const fan: Actuator = { name: 'fan', args: [{ name: 'on', kind: 'bool', required: true }] };
const light: Actuator = {
  name: 'light',
  args: [
    { name: 'on', kind: 'bool' },
    { name: 'brightness', kind: 'number', min: 0, max: 100 },
    { name: 'mode', kind: 'choice', options: ['Warm', 'Cold'] },
  ],
};
const say: Actuator = {
  name: 'say',
  args: [
    { name: 'volume', kind: 'number' },
    { name: 'text', kind: 'text', required: true },
  ],
};
const all = actionsOf([device('dev_1', 'Greenhouse', [fan, light, say, { name: 'restart' }])]);
const args = (text: string) => parse(text, all)?.args;

test('a command is an action and its arguments', () => {
  expect(parse('/fan on', all)).toEqual({ action: all[0], args: { on: true } });
  expect(args('/FAN aus')).toEqual({ on: false });
  expect(args('/light on 50 cold')).toEqual({ on: true, brightness: 50, mode: 'Cold' });
  expect(args('/light brightness=7,5')).toEqual({ brightness: 7.5 });
  expect(args('/light mode=warm on')).toEqual({ mode: 'Warm', on: true });
  expect(args('/light')).toEqual({});
  expect(args('/restart')).toEqual({});
  expect(args('/say 3 good morning to you')).toEqual({ volume: 3, text: 'good morning to you' });
  expect(args('/say volume=3 text="a = b"')).toEqual({ volume: 3, text: 'a = b' });
});

test('what is no command of the room is a message', () => {
  for (const text of ['fan on', '/unknown', '/etc/passwd', '/', '', ' / fan', 'see /fan on'])
    expect(parse(text, all)).toBe(undefined);
});

test('a group is told by its name after an action of a device in the room', () => {
  const devices = [device('dev_1', 'A', [fan, say]), device('dev_2', 'B', [fan])];
  const off = { group: 'pumps', actuator: fan, args: { on: false } };
  expect(parseGroup('/fan @pumps off', devices, ['pumps'])).toEqual(off);
  for (const text of ['/fan @unknown on', '/light @pumps on', '/say 3 @pumps', 'fan @pumps on'])
    expect(parseGroup(text, devices, ['pumps'])).toBe(undefined);
  expect(() => parseGroup('/fan @pumps', devices, ['pumps'])).toThrow(NotACommand);
});

test('wrong arguments say what is wrong', () => {
  const refused = (text: string) => {
    try {
      return parse(text, all);
    } catch (err) {
      return err instanceof NotACommand ? [err.reason, err.field?.name] : err;
    }
  };
  expect(refused('/fan')).toEqual(['missing', 'on']);
  expect(refused('/fan maybe')).toEqual(['bool', 'on']);
  expect(refused('/fan on off')).toEqual(['many', undefined]);
  expect(refused('/light on bright')).toEqual(['number', 'brightness']);
  expect(refused('/light on 5 hot')).toEqual(['choice', 'mode']);
  expect(refused('/restart now')).toEqual(['many', undefined]);
});

test('the same action of two devices goes by the name of each, and by the id where names are the same', () => {
  const words = (...devices: FleetDevice[]) => actionsOf(devices).map((a) => a.word);
  expect(words(device('a', 'Green house', [fan]), device('b', 'Shed', [fan, say]))).toEqual([
    'green-house.fan',
    'shed.fan',
    'say',
  ]);
  expect(words(device('a', 'Shed', [fan]), device('b', 'Shed', [fan]))).toEqual(['a.fan', 'b.fan']);
});

test('an action that is called as a command of the room goes by the name of its device', () => {
  const shed = device('a', 'Shed', [{ name: 'chart' }, { name: 'Topic' }]);
  expect(actionsOf([shed]).map((a) => a.word)).toEqual(['shed.chart', 'shed.Topic']);
});
