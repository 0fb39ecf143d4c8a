// Files of messages: those that are being added, where they are got, and those of a room.

import type { Api } from '../net/api';
import { put } from '../net/put';
import { sha256 } from '../platform/hash';
import { storage } from '../platform/storage.svelte';
import type * as port from '../view/filesport';
import type { PageOf } from '../view/port';
import { clean } from '../view/room/clean';
import type { FileView, Me, Message } from '../view/types';
import { RoomAttachments } from './attachments.svelte';
import { factsOf } from './facts';
import { FileLinks, type Answer } from './filelinks';
import type { Rooms } from './rooms.svelte';
import { Slots } from './slots';
import { uploadKeys } from './unsent';

const onePart = 8 << 20; // bytes of a file that goes in one request, and of each part of a larger one
const partsAtOnce = 3; // of all files together
const previewsKept = 30;

export class PostedFiles implements port.Files {
  readonly #api: Api<Me>;
  readonly #rooms: Rooms;
  readonly #links: FileLinks;
  readonly #keys: string;
  readonly #slots = new Slots(partsAtOnce);
  #attachments = new Map<string, RoomAttachments>();
  #previews = new Map<string, string>();

  constructor(api: Api<Me>, rooms: Rooms, me: string) {
    this.#api = api;
    this.#rooms = rooms;
    this.#keys = uploadKeys(me);
    this.#links = new FileLinks((files) => api.call<Answer>('POST', '/files/links', { files }));
  }

  attachments(room: string, thread: number): port.Attachments {
    const place = `${room}/${thread}`;
    const had = this.#attachments.get(place);
    if (had) return had;
    const made = new RoomAttachments({
      room,
      thread,
      ask: (method, path, body) => this.#api.call(method, path, body),
      put: (path, bytes, o) => put(this.#api, path, bytes, o),
      store: storage,
      keys: this.#keys,
      slots: this.#slots,
      onePart,
      wait: (ms) => new Promise((done) => setTimeout(done, ms)),
      hash: sha256,
      facts: factsOf,
      preview: (file, url) => this.#keep(file, url),
      send: (files, reply) => void this.#send({ room, thread }, files, reply),
    });
    this.#attachments.set(place, made);
    return made;
  }

  /** Sends what is written somewhere, with its files. */
  async #send(to: { room: string; thread: number }, files: FileView[], reply?: Message): Promise<void> {
    const model = this.#rooms.open(to.room);
    const place = to.thread ? await model.thread(to.thread) : model;
    place.send(clean(place.draft), reply, files);
    place.draft = '';
  }

  known(file: string) {
    return this.#links.known(file);
  }
  watch(file: string, take: (link: port.FileLink | null) => void) {
    return this.#links.watch(file, take);
  }
  renew(file: string) {
    return this.#links.renew(file);
  }
  preview(file: string): string | undefined {
    return this.#previews.get(file);
  }

  /** Keeps the picture of a file that has been sent: it is shown without being fetched. */
  #keep(file: string, url: string): void {
    this.#previews.set(file, url);
    for (const [old, of] of [...this.#previews].slice(0, -previewsKept)) {
      URL.revokeObjectURL(of);
      this.#previews.delete(old);
    }
  }

  own(cursor: string): Promise<PageOf<port.OwnFile> & port.FileLimits> {
    return this.#api.call('GET', `/files?${new URLSearchParams({ sort: 'size', ...(cursor && { cursor }) })}`);
  }

  remove(file: string): Promise<void> {
    return this.#api.call('DELETE', `/files/${encodeURIComponent(file)}`);
  }

  async list(room: string, q: string, kind: port.FileKind | '', before: string): Promise<PageOf<port.RoomFile>> {
    const query = new URLSearchParams({ ...(q && { q }), ...(kind && { kind }), ...(before && { before }) });
    return this.#api.call('GET', `/rooms/${room}/files?${query}`);
  }

  /** There is a connection again: what failed without one goes on. */
  resume(): void {
    for (const a of this.#attachments.values()) a.resume();
  }

  /** Lets go of everything: somebody signed out. */
  close(): void {
    this.#links.close();
    for (const a of this.#attachments.values()) a.close();
    for (const url of this.#previews.values()) URL.revokeObjectURL(url);
  }
}

