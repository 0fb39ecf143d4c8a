// The devices that the user may see: asked for by REST, with live values by the connection.

import { untrack } from 'svelte';
import { SvelteMap } from 'svelte/reactivity';
import type { Api } from '../net/api';
import { newKey } from '../platform/key';
import { Recent } from './recent';
import type { Bucket, Span } from '../view/device/points';
import type { Value } from '../view/device/values';
import type * as port from '../view/fleetport';
import type { IssuedKey, PageOf } from '../view/port';
import type { Me, Member } from '../view/types';

/** A frame with what a device measured last. */
export interface Readings {
  device: string;
  at: string;
  values: Record<string, Value>;
}

/** Says that a device came or went. */
export type Came = port.DeviceStatus & { device: string };

const smallPoints = 96; // as the server sums up for a chart in a room
const keepRoom = 15_000; // for which the devices of a room are taken to be the same

const path = (id: string) => `/devices/${encodeURIComponent(id)}`;

const groupPath = (name: string) => `/device-groups/${encodeURIComponent(name)}`;

const templatePath = (name: string) => `/device-templates/${encodeURIComponent(name)}`;

export class Fleet implements port.Fleet {
  readonly #api: Api<Me>;
  readonly #request: <T>(type: string, data: unknown) => Promise<T>;
  #live = new SvelteMap<string, ReadonlyMap<string, port.Live>>();
  #statuses = new SvelteMap<string, port.DeviceStatus>();
  #news = new SvelteMap<string, number>();
  #settingsNews = new SvelteMap<string, number>();
  #transfers = $state(0);
  #watched: readonly string[] = [];
  readonly #charts = new Recent<port.Drawn>();
  readonly #rooms = new Map<string, { at: number; devices: Promise<readonly port.FleetDevice[]> }>();

  constructor(api: Api<Me>, request: <T>(type: string, data: unknown) => Promise<T>) {
    this.#api = api;
    this.#request = request;
  }

  async list(group = ''): Promise<port.FleetDevice[]> {
    const all: port.FleetDevice[] = [];
    for (let cursor = ''; ;) {
      const page = await this.#api.call<PageOf<port.FleetDevice>>(
        'GET',
        `/devices?${new URLSearchParams({ cursor, limit: '200', ...(group && { group }) })}`,
      );
      all.push(...(page.items ?? []));
      if (!page.next) return all;
      cursor = page.next;
    }
  }

  get(id: string): Promise<port.FleetDevice> {
    return this.#api.call('GET', path(id));
  }

  async transfers(): Promise<port.Transfer[]> {
    return (await this.#api.call<{ items: port.Transfer[] }>('GET', '/device-transfers')).items;
  }

  transferNews(): number {
    return this.#transfers;
  }

  /** Takes that an offer of a device was made, or ended. */
  transferred(): void {
    this.#transfers++;
  }

  async offer(device: string, user: string): Promise<void> {
    await this.#api.call('POST', `${path(device)}/transfer`, { user });
  }

  async accept(device: string): Promise<void> {
    await this.#api.call('POST', `${path(device)}/transfer/accept`);
  }

  endOffer(device: string): Promise<void> {
    return this.#api.call('DELETE', `${path(device)}/transfer`);
  }

  register(name: string, access: port.Access, template: string): Promise<IssuedKey> {
    return this.#api.call('POST', '/devices', { name, ...(access && { access }), ...(template && { template }) });
  }

  claim(device: string, seconds: number, server: string): Promise<port.ClaimToken> {
    return this.#api.call('POST', `${path(device)}/claim`, { expires_in: seconds, server });
  }

  async addToGroup(group: string, device: string): Promise<void> {
    await this.#api.call('PATCH', groupPath(group), { add: [device] });
  }

  async templates(): Promise<string[]> {
    return (await this.#api.call<{ items: { name: string }[] }>('GET', '/device-templates')).items.map((i) => i.name);
  }

  async saveTemplate(name: string, device: string): Promise<void> {
    await this.#api.call('PUT', templatePath(name), { from: device });
  }

  deleteTemplate(name: string): Promise<void> {
    return this.#api.call('DELETE', templatePath(name));
  }

  async groups(): Promise<port.DeviceGroup[]> {
    return (await this.#api.call<{ items: port.DeviceGroup[] }>('GET', '/device-groups')).items;
  }

  async putGroup(name: string, of: { rule: port.GroupRule } | { devices: string[] }): Promise<void> {
    await this.#api.call('PUT', groupPath(name), of);
  }

  async setDefaults(name: string, settings: Record<string, Value | null>): Promise<void> {
    await this.#api.call('PATCH', groupPath(name), { settings });
  }

  deleteGroup(name: string): Promise<void> {
    return this.#api.call('DELETE', groupPath(name));
  }

  revokeKeys(group: string, confirm?: number): Promise<port.GroupKeys> {
    return this.#api.call('POST', '/devices/revoke-keys', { group, ...(confirm && { confirm }) });
  }

  import(file: Blob, newKeys: boolean): Promise<Response> {
    const body = new Blob([file], { type: 'text/csv' }); // the server looks which of its forms it has
    return this.#api.answer(`/devices/import${newKeys ? '?new_keys=true' : ''}`, body);
  }

  async series(device: string): Promise<port.Series[]> {
    return (await this.#api.call<{ series: port.Series[] }>('GET', `${path(device)}/series`)).series;
  }

  async readings(
    device: string,
    series: string,
    span: Span,
    points: number,
  ): Promise<{ step: number; buckets: Bucket[] }> {
    const query = new URLSearchParams({ series, points: String(points), ...times(span) });
    const got = await this.#api.call<Answer>('GET', `${path(device)}/readings?${query}`);
    return { step: got.step * 1000, buckets: bucketsOf(got.series[0]) };
  }

  drawn(device: string, series: readonly string[], span: Span): Promise<port.Drawn> {
    return this.#charts.get(`${device}/${series.join()}/${span.from}/${span.to}`, span.to < Date.now(), async () => {
      const query = new URLSearchParams({ series: series.join(), points: String(smallPoints), ...times(span) });
      const got = await this.#api.call<Answer>('GET', `${path(device)}/readings?${query}`);
      return { step: got.step * 1000, buckets: new Map(got.series.map((s) => [s.name, bucketsOf(s)])) };
    });
  }

  async postChart(room: string, device: string, series: readonly string[], span: number): Promise<void> {
    const body = { key: newKey(), device, span, ...(series.length && { series }) };
    await this.#api.call('POST', `/rooms/${encodeURIComponent(room)}/charts`, body);
  }

  exported(device: string, series: string, span: Span, format: 'csv' | 'parquet'): Promise<Blob> {
    const query = new URLSearchParams({ series, format, ...times(span) });
    return this.#api.download(`${path(device)}/readings/export?${query}`);
  }

  watch(devices: readonly string[]): void {
    const next = [...new Set(devices)].sort();
    if (next.join() === this.#watched.join()) return;
    this.#watched = next;
    // What an effect watches must not depend on what comes of it.
    untrack(() => {
      for (const id of this.#live.keys()) if (!next.includes(id)) this.#live.delete(id);
    });
    this.#ask();
  }

  /** Asks again, on a new connection. */
  rewatch(): void {
    if (this.#watched.length) this.#ask();
  }

  #ask(): void {
    this.#request<{ devices?: Readings[] }>('watch_readings', { devices: this.#watched })
      .then((got) => (got?.devices ?? []).forEach((r) => this.take(r)))
      .catch(() => {}); // repeated at the next hello
  }

  /** Takes what a device measured. What is older than what is shown is left out. */
  take(r: Readings): void {
    if (!this.#watched.includes(r.device)) return;
    const at = Date.parse(r.at);
    const values = new Map(this.#live.get(r.device));
    for (const [name, value] of Object.entries(r.values)) {
      if ((values.get(name)?.at ?? 0) <= at) values.set(name, { at, value });
    }
    this.#live.set(r.device, values);
  }

  live(device: string): ReadonlyMap<string, port.Live> | undefined {
    return this.#live.get(device);
  }

  /** Takes which devices came or went. What is older than what is known is left out. */
  came(devices: readonly Came[]): void {
    for (const { device, ...status } of devices) {
      const known = this.#statuses.get(device);
      if (!known || !olderThan(status, known)) this.#statuses.set(device, status);
    }
  }

  status(d: port.FleetDevice): port.DeviceStatus | undefined {
    const heard = this.#statuses.get(d.id);
    return heard && (!d.status || !olderThan(heard, d.status)) ? heard : d.status;
  }

  /** Takes what became of a command. */
  changed(c: { device: string }): void {
    this.#news.set(c.device, this.news(c.device) + 1);
  }

  news(device: string): number {
    return this.#news.get(device) ?? 0;
  }

  async commands(device: string): Promise<port.Command[]> {
    return (await this.#api.call<PageOf<port.Command>>('GET', `${path(device)}/commands?limit=20`)).items;
  }

  command(
    device: string,
    action: string,
    args: Record<string, Value>,
    confirmed: boolean,
    room = '',
  ): Promise<port.Command> {
    return this.#api.call('POST', `${path(device)}/commands`, order(action, args, confirmed, room));
  }

  tellGroup(
    group: string,
    action: string,
    args: Record<string, Value>,
    confirmed: boolean,
    room = '',
  ): Promise<port.Batch> {
    return this.#api.call('POST', `${groupPath(group)}/commands`, order(action, args, confirmed, room));
  }

  async told(group: string): Promise<port.Batch[]> {
    const at = `${groupPath(group)}/commands`;
    const [last, ...others] = (await this.#api.call<PageOf<port.Batch>>('GET', `${at}?limit=3`)).items;
    return last ? [await this.#api.call<port.Batch>('GET', `${at}/${last.id}`), ...others] : [];
  }

  inRoom(room: string): Promise<readonly port.FleetDevice[]> {
    const known = this.#rooms.get(room);
    if (known && Date.now() - known.at < keepRoom) return known.devices;
    const devices = this.#api
      .call<PageOf<port.FleetDevice>>('GET', `/rooms/${encodeURIComponent(room)}/devices?limit=200`)
      .then((page) => page.items);
    devices.catch(() => this.#rooms.delete(room)); // asked again
    this.#rooms.set(room, { at: Date.now(), devices });
    return devices;
  }

  async people(room: string): Promise<readonly Member[]> {
    const page = await this.#api.call<PageOf<Member>>('GET', `/rooms/${encodeURIComponent(room)}/members?limit=200`);
    return page.items.filter((m) => m.kind === 'user');
  }

  async cancel(device: string, id: string): Promise<void> {
    await this.#api.call('DELETE', `${path(device)}/commands/${encodeURIComponent(id)}`);
  }

  settings(device: string): Promise<port.Settings> {
    return this.#api.call('GET', `${path(device)}/settings`);
  }

  set(device: string, settings: Record<string, Value | null>, version: number): Promise<port.Settings> {
    return this.#api.call('PATCH', `${path(device)}/settings`, { settings, version });
  }

  /** Takes that the settings of a device have changed. */
  settingsChanged(c: { device: string }): void {
    this.#settingsNews.set(c.device, this.settingsNews(c.device) + 1);
  }

  settingsNews(device: string): number {
    return this.#settingsNews.get(device) ?? 0;
  }

  async log(device: string): Promise<port.Note[]> {
    return (await this.#api.call<{ items: port.Note[] }>('GET', `${path(device)}/log`)).items;
  }

  async rules(device: string): Promise<port.AlarmRule[]> {
    return (await this.#api.call<{ items: port.AlarmRule[] }>('GET', `${path(device)}/alarm-rules`)).items;
  }

  putRule(device: string, rule: Omit<port.AlarmRule, 'id'>, id?: string): Promise<void> {
    return this.#put(`${path(device)}/alarm-rules`, id, rule);
  }

  async #put(all: string, id: string | undefined, body: object): Promise<void> {
    await (id ? this.#api.call('PUT', `${all}/${encodeURIComponent(id)}`, body) : this.#api.call('POST', all, body));
  }

  removeRule(device: string, id: string): Promise<void> {
    return this.#api.call('DELETE', `${path(device)}/alarm-rules/${encodeURIComponent(id)}`);
  }

  putGroupRule(scope: port.Scope, rule: Omit<port.AlarmRule, 'id'>, id?: string): Promise<void> {
    return this.#put('/alarm-rules', id, { ...rule, ...scope });
  }

  async scopeOf(id: string): Promise<port.Scope> {
    const rules = (await this.#api.call<{ items: (port.Scope & { id: string })[] }>('GET', '/alarm-rules')).items;
    const { type, tag, device_group } = rules.find((r) => r.id === id) ?? {};
    return { ...(type && { type }), ...(tag && { tag }), ...(device_group && { device_group }) };
  }

  removeGroupRule(id: string): Promise<void> {
    return this.#api.call('DELETE', `/alarm-rules/${encodeURIComponent(id)}`);
  }

  dashboard(room: string): Promise<port.Dashboard> {
    return this.#api.call('GET', `/rooms/${encodeURIComponent(room)}/dashboard`);
  }

  async arrange(room: string, version: number, tiles: readonly port.Tile[]): Promise<void> {
    await this.#api.call('PUT', `/rooms/${encodeURIComponent(room)}/dashboard`, { version, tiles });
  }

  async roomAlarms(room: string): Promise<port.Alarm[]> {
    const open = `/rooms/${encodeURIComponent(room)}/alarms?open=true`;
    return (await this.#api.call<PageOf<port.Alarm>>('GET', open)).items;
  }

  async maintenance(device: string): Promise<port.Window[]> {
    return (await this.#api.call<{ items: port.Window[] }>('GET', `${path(device)}/maintenance`)).items;
  }

  async addMaintenance(w: Omit<port.Window, 'id' | 'active_until'>): Promise<void> {
    await this.#api.call('POST', '/maintenance', w);
  }

  removeMaintenance(id: string): Promise<void> {
    return this.#api.call('DELETE', `/maintenance/${encodeURIComponent(id)}`);
  }

  async alarms(device: string): Promise<port.Alarm[]> {
    return (await this.#api.call<PageOf<port.Alarm>>('GET', `${path(device)}/alarms?open=true`)).items;
  }

  async raised(device: string, sensor: string): Promise<number[]> {
    const { items } = await this.#api.call<PageOf<port.Alarm>>('GET', `${path(device)}/alarms?limit=100`);
    return items.filter((a) => a.sensor === sensor).map((a) => Date.parse(a.raised_at));
  }

  async acknowledge(device: string, alarm: string): Promise<void> {
    await this.#api.call('PATCH', `${path(device)}/alarms/${encodeURIComponent(alarm)}`, { acknowledge: true });
  }

  async snooze(device: string, alarm: string, until: Date): Promise<void> {
    await this.#api.call('PATCH', `${path(device)}/alarms/${encodeURIComponent(alarm)}`, {
      snooze_until: until.toISOString(),
    });
  }
}

/** Within a session, a device comes before it goes. */
const olderThan = (a: port.DeviceStatus, b: port.DeviceStatus): boolean =>
  a.session < b.session || (a.session === b.session && a.state === 'online' && b.state !== 'online');

interface Answer {
  /** seconds */
  step: number;
  series: Answered[];
}

interface Answered {
  name: string;
  buckets?: { at: string; mean: number; min: number; max: number; count: number }[];
}

const bucketsOf = (s: Answered | undefined): Bucket[] =>
  (s?.buckets ?? []).map((b) => ({ t: Date.parse(b.at), v: b.mean, min: b.min, max: b.max, n: b.count }));

const times = (s: Span) => ({ from: new Date(s.from).toISOString(), to: new Date(s.to).toISOString() });

const order = (action: string, args: Record<string, Value>, confirmed: boolean, room: string) => ({
  key: newKey(),
  action,
  args,
  ...(room && { room }),
  ...(confirmed && { confirm: true }),
});
