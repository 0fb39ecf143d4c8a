// What the pages about devices ask of the state behind them.

import type { Bucket, Span } from './device/points';
import type { Value } from './device/values';
import type { Device, IssuedKey } from './port';
import type { Batch, DeviceGroup, GroupKeys, GroupRule, Transfer } from './groupport';
import type { AlarmLine, Member } from './types';

export type { Batch, DeviceGroup, GroupKeys, GroupRule, Transfer };

/** A sensor, as the device declares it. */
export interface Sensor {
  name: string;
  title?: string;
  /** as RFC 8428 writes it */
  unit?: string;
  kind: 'number' | 'bool' | 'text';
  min?: number;
  max?: number;
  precision?: number;
}

/** An argument of an action, or a setting. */
export interface Arg {
  name: string;
  title?: string;
  kind: 'number' | 'bool' | 'text' | 'choice';
  unit?: string;
  min?: number;
  max?: number;
  step?: number;
  options?: string[];
  required?: boolean;
}

export interface Actuator {
  name: string;
  title?: string;
  args?: Arg[];
  /** a command must be confirmed */
  destructive?: boolean;
}

export interface Capabilities {
  model?: string;
  hardware?: string;
  firmware?: string;
  serial?: string;
  sensors?: Sensor[];
  actuators?: Actuator[];
  settings?: Arg[];
  /** what a device that announces itself has beside, which cannot be used here */
  unsupported?: { name: string; why: string }[];
}

/** What else the key of a device may do: speak for other devices, or see and command all of its owner. */
export type Access = '' | 'bridge' | 'controller';

/** A device with what it says about itself. */
export interface FleetDevice extends Device {
  /** as the owner knows it; the device may tell another */
  serial?: string;
  type?: string;
  tags?: string[];
  owner: { id: string; username: string; display_name: string };
  access?: string;
  /** id of the device that speaks for it */
  bridge?: string;
  capabilities?: Capabilities;
  described_at?: string;
  suspended_at?: string;
  /** a former owner may know its key */
  key_known?: boolean;
  /** when it wants to be back, which it said */
  away_until?: string;
  status?: DeviceStatus;
}

/** Whether a device is there. */
export interface DeviceStatus {
  state: 'online' | 'asleep' | 'offline';
  since: string;
  /** what has a lower one is older */
  session: number;
  reason?: string;
  /** of one that is asleep: from then on it is offline */
  until?: string;
  /** addresses of two places that use one key */
  places?: string[];
}

/** What became of a line of a file of devices. A failed one says why, as a refused request does. */
export interface Imported {
  /** aborted: the lines after the last answered one were not looked at; it has no number */
  result: 'created' | 'updated' | 'unchanged' | 'new_key' | 'failed' | 'aborted';
  line?: number;
  name?: string;
  serial?: string;
  device?: string;
  /** shown this once */
  key?: string;
  code?: string;
  detail?: string;
  errors?: { pointer: string; detail: string }[];
}

/** What was measured under one name, and its last value. */
export interface Series {
  name: string;
  unit?: string;
  kind: Sensor['kind'];
  last?: Value;
  /** when that was */
  at?: string;
}

/** A value and when it was measured, in milliseconds since 1970. */
export interface Live {
  at: number;
  value: Value;
}

export type CommandState = 'queued' | 'sent' | 'received' | 'running' | 'done' | 'failed' | 'expired' | 'cancelled';

export interface Command {
  id: string;
  action: string;
  args?: Record<string, Value>;
  state: CommandState;
  progress?: number;
  result?: unknown;
  error?: string;
  at: string;
  expires: string;
  by: { display_name: string };
}

export type Severity = 'info' | 'warning' | 'critical';

/** When a device raises an alarm. */
export interface AlarmRule {
  id: string;
  name: string;
  kind: 'threshold' | 'rate' | 'absence' | 'anomaly';
  severity?: Severity;
  sensor?: string;
  above?: number;
  below?: number;
  hysteresis?: number;
  /** seconds */
  for?: number;
  /** seconds; of a rate */
  window?: number;
  /** where it is posted */
  room?: string;
  escalate?: Escalation;
  /** it raises nothing */
  disabled?: boolean;
  /** id of the rule for several devices that it comes from */
  group?: string;
}

/** Which of the user's devices are meant: of a type, with a tag, or all. */
export interface Scope {
  type?: string;
  tag?: string;
  /** name of a group made by hand */
  device_group?: string;
}

/** A time in which alarms are not posted: once, or each week. */
export interface Window {
  id: string;
  name: string;
  /** none: any device of the owner */
  device?: string;
  type?: string;
  tag?: string;
  device_group?: string;
  from?: string;
  to?: string;
  /** 1 is Monday */
  weekdays?: number[];
  /** as clocks in the zone show it: 02:30 */
  start?: string;
  minutes?: number;
  zone?: string;
  /** it lasts now, until then */
  active_until?: string;
}

/** What happens if nobody acknowledges an alarm. */
export interface Escalation {
  /** seconds */
  after: number;
  /** where it is posted then; none: in the same room again */
  room?: string;
  /** a member of that room who is mentioned */
  user?: string;
}

export interface Alarm extends AlarmLine {
  device: string;
  /** it is posted then, when maintenance is over */
  held_until?: string;
  room?: string;
}

/** One part of a dashboard. */
export interface Tile {
  kind: 'value' | 'chart' | 'switch' | 'alarms';
  /** none: what the device calls it */
  title?: string;
  device?: string;
  /** of a value or chart */
  series?: string;
  /** of a switch */
  action?: string;
  /** seconds, of a chart */
  span?: number;
  /** as wide as the dashboard */
  wide?: boolean;
}

/** What the members of a room have arranged. */
export interface Dashboard {
  /** counts changes */
  version: number;
  tiles: Tile[];
}

/** What small charts are drawn from. */
export interface Drawn {
  /** how far apart buckets are, in milliseconds */
  step: number;
  buckets: ReadonlyMap<string, Bucket[]>;
}

/** What is to be set on a device, and what it says is set. */
export interface Settings {
  /** of desired */
  version: number;
  desired: Record<string, Value>;
  /** what of that was set on the device itself */
  own?: Record<string, Value>;
  /** of its groups and its template */
  defaults?: Record<string, Value>;
  /** the last version that the device has answered */
  applied: number;
  reported: Record<string, Value>;
  /** why it did not take a setting */
  errors: Record<string, string>;
}

/** What of a device was refused or went wrong. */
export interface Note {
  kind: 'reading' | 'topic' | 'request' | 'command' | 'connection' | 'setting' | 'device';
  /** the sensor, topic, type of request, action or setting */
  subject?: string;
  reason?: string;
  detail?: string;
  count: number;
  first_at: string;
  last_at: string;
}

/** By which a device gets a key of its own, once. It is shown this once. */
export interface ClaimToken {
  token: string;
  expires_at: string;
  /** the server and the token, as firmware takes both */
  setup?: string;
  /** QR code of that */
  picture?: { size: number; path: string };
}

/** The devices that the user may see. Every getter is reactive. */
export interface Fleet {
  /** the user's own, by name */
  list(group?: string): Promise<FleetDevice[]>;
  /** the user's groups of devices, by name */
  groups(): Promise<DeviceGroup[]>;
  /** makes a group, or replaces it: by a rule, or with devices chosen by hand */
  putGroup(name: string, of: { rule: GroupRule } | { devices: string[] }): Promise<void>;
  deleteGroup(name: string): Promise<void>;
  /** revokes all keys of a group's devices, of which so many have some; without that it only counts them */
  revokeKeys(group: string, confirmed?: number): Promise<GroupKeys>;
  /** changes defaults of the settings of a group made by hand; null takes one back */
  setDefaults(group: string, settings: Record<string, Value | null>): Promise<void>;
  /** carries out an action on all devices of a group, in a room on those in it */
  tellGroup(
    group: string,
    action: string,
    args: Record<string, Value>,
    confirmed: boolean,
    /** which shows it; none: no room */
    room?: string,
  ): Promise<Batch>;
  /** what a group was told last, the latest with its failures */
  told(group: string): Promise<Batch[]>;
  get(id: string): Promise<FleetDevice>;
  /** devices that are offered to the user, and that they offer */
  transfers(): Promise<Transfer[]>;
  /** how often the server has told of such offers */
  transferNews(): number;
  /** offers a device to somebody, by their username */
  offer(device: string, username: string): Promise<void>;
  /** takes a device that is offered */
  accept(device: string): Promise<void>;
  /** withdraws the offer of a device, or declines it */
  endOffer(device: string): Promise<void>;
  /** template: of the user's, that it begins with; empty: none */
  register(name: string, access: Access, template: string): Promise<IssuedKey>;
  /** a token for a device, good for so many seconds; the one before ends. server: as the device reaches it */
  claim(device: string, seconds: number, server: string): Promise<ClaimToken>;
  /** puts a device into a group made by hand, beside those that are in it */
  addToGroup(group: string, device: string): Promise<void>;
  /** the names of the user's templates */
  templates(): Promise<string[]>;
  /** has new devices begin with the type, tags and capabilities of a device */
  saveTemplate(name: string, device: string): Promise<void>;
  deleteTemplate(name: string): Promise<void>;
  /** registers or changes the devices of a file; the answer has an Imported for each line as soon as that is known */
  import(file: Blob, newKeys: boolean): Promise<Response>;
  series(device: string): Promise<Series[]>;
  /** one series in about so many points; raw where there are few */
  readings(device: string, series: string, span: Span, points: number): Promise<{ step: number; buckets: Bucket[] }>;
  /** some series in few points, for a small chart; a past span is asked for once */
  drawn(device: string, series: readonly string[], span: Span): Promise<Drawn>;
  /** posts a small chart to a room; series: none for the first ones; span: seconds up to now */
  postChart(room: string, device: string, series: readonly string[], span: number): Promise<void>;
  /** every single value as a file: for spreadsheets, or for programs that analyse data */
  exported(device: string, series: string, span: Span, format: 'csv' | 'parquet'): Promise<Blob>;
  /** follows the live values of some devices, until something else is followed */
  watch(devices: readonly string[]): void;
  live(device: string): ReadonlyMap<string, Live> | undefined;
  /** the latest that is known; none: it never connected */
  status(device: FleetDevice): DeviceStatus | undefined;
  /** those in a room, with what they can be told */
  inRoom(room: string): Promise<readonly FleetDevice[]>;
  /** the people in a room, the first of them */
  people(room: string): Promise<readonly Member[]>;
  commands(device: string): Promise<Command[]>;
  /** how often the server has told what became of the user's commands to a device */
  news(device: string): number;
  /** carries out an action; confirmed: somebody was asked whether they mean it */
  command(
    device: string,
    action: string,
    args: Record<string, Value>,
    confirmed: boolean,
    /** which shows it; none: for the owner alone */
    room?: string,
  ): Promise<Command>;
  cancel(device: string, id: string): Promise<void>;
  settings(device: string): Promise<Settings>;
  /** changes some of that version; null takes one back */
  set(device: string, change: Record<string, Value | null>, version: number): Promise<Settings>;
  /** how often the server has told that the settings of a device changed */
  settingsNews(device: string): number;
  /** what happened last first */
  log(device: string): Promise<Note[]>;
  rules(device: string): Promise<AlarmRule[]>;
  /** id: replaces that one */
  putRule(device: string, rule: Omit<AlarmRule, 'id'>, id?: string): Promise<void>;
  removeRule(device: string, id: string): Promise<void>;
  /** a rule for several devices, also for those that come later */
  putGroupRule(scope: Scope, rule: Omit<AlarmRule, 'id'>, id?: string): Promise<void>;
  /** which devices a rule for several is for */
  scopeOf(id: string): Promise<Scope>;
  removeGroupRule(id: string): Promise<void>;
  /** the windows of a device */
  maintenance(device: string): Promise<Window[]>;
  addMaintenance(w: Omit<Window, 'id' | 'active_until'>): Promise<void>;
  removeMaintenance(id: string): Promise<void>;
  dashboard(room: string): Promise<Dashboard>;
  /** replaces the tiles of a version */
  arrange(room: string, version: number, tiles: readonly Tile[]): Promise<void>;
  /** those that were posted to a room and are not over */
  roomAlarms(room: string): Promise<Alarm[]>;
  /** those that are not over */
  alarms(device: string): Promise<Alarm[]>;
  /** when the last alarms about a sensor were raised, in milliseconds since 1970 */
  raised(device: string, sensor: string): Promise<number[]>;
  acknowledge(device: string, alarm: string): Promise<void>;
  /** its rule posts nothing before a time */
  snooze(device: string, alarm: string, until: Date): Promise<void>;
}
