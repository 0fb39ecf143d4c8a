// Products, releases and images of firmware, asked for by REST.

import { Refusal, type Api, type Problem } from '../net/api';
import { sendParts } from '../net/parts';
import { passing } from '../net/put';
import { sha256 } from '../platform/hash';
import type * as port from '../view/firmwareport';
import type { PageOf } from '../view/port';
import type { Me } from '../view/types';

const part = 1 << 20; // bytes that are sent at a time

const productPath = (id: string) => `/firmware/products/${encodeURIComponent(id)}`;
const releasePath = (id: string) => `/firmware/releases/${encodeURIComponent(id)}`;
const factoryPath = (release: string, sha: string) =>
  `${releasePath(release)}/images/${encodeURIComponent(sha)}/factory`;
const rolloutPath = (id: string) => `/firmware/rollouts/${encodeURIComponent(id)}`;
const uploadPath = (id: string) => `/firmware/uploads/${encodeURIComponent(id)}`;

const devicePath = (id: string) => `/devices/${encodeURIComponent(id)}`;

/** A code, or the id of a product, as the server takes it. */
const joins = (code: string) => (code.startsWith('prd_') ? { product: code } : { code: code.toUpperCase() });

type Known = port.Upload & { kind: string; sha256: string };

export class Firmware implements port.Firmware {
  readonly #api: Api<Me>;

  constructor(api: Api<Me>) {
    this.#api = api;
  }

  async offerKey(): Promise<string> {
    return (await this.#api.call<{ key: string }>('GET', '/firmware/offer-key')).key;
  }

  async products(): Promise<port.Product[]> {
    return (await this.#api.call<{ items: port.Product[] }>('GET', '/firmware/products')).items;
  }

  product(id: string): Promise<port.Product> {
    return this.#api.call('GET', productPath(id));
  }

  createProduct(name: string, title: string, room: string): Promise<port.Product> {
    return this.#api.call('POST', '/firmware/products', { name, ...(title && { title }), ...(room && { room }) });
  }

  deleteProduct(id: string): Promise<void> {
    return this.#api.call('DELETE', productPath(id));
  }

  async share(product: string, how: { open?: boolean; code?: 'new' | 'none' }): Promise<void> {
    await this.#api.call('PUT', `${productPath(product)}/sharing`, how);
  }

  async sendAway(product: string): Promise<void> {
    await this.#api.call('DELETE', `${productPath(product)}/joins`);
  }

  async deployed(product: string): Promise<port.FleetGroup[]> {
    return (await this.#api.call<{ items: port.FleetGroup[] }>('GET', `${productPath(product)}/fleet`)).items;
  }

  terms(code: string): Promise<port.Terms> {
    return this.#api.call('GET', `/firmware/terms?${new URLSearchParams(joins(code))}`);
  }

  async join(device: string, code: string, ask: boolean): Promise<void> {
    await this.#api.call('PUT', `${devicePath(device)}/product`, { ...joins(code), ask });
  }

  leave(device: string): Promise<void> {
    return this.#api.call('DELETE', `${devicePath(device)}/product`);
  }

  ofDevice(device: string): Promise<port.DeviceFirmware> {
    return this.#api.call('GET', `${devicePath(device)}/firmware`);
  }

  async agree(device: string, update: string): Promise<void> {
    await this.#api.call('POST', `${devicePath(device)}/updates/${encodeURIComponent(update)}/agree`);
  }

  async otaLink(device: string): Promise<port.OtaLink | undefined> {
    try {
      return await this.#api.call<port.OtaLink>('GET', `${devicePath(device)}/ota`);
    } catch (err) {
      if (err instanceof Refusal && err.code === 'no_ota') return undefined;
      throw err;
    }
  }

  async setOtaLink(device: string, product: string, chip: string, revision: number): Promise<void> {
    await this.#api.call('PUT', `${devicePath(device)}/ota`, { product, chip, revision, renew: true });
  }

  endOtaLink(device: string): Promise<void> {
    return this.#api.call('DELETE', `${devicePath(device)}/ota`);
  }

  async roots(product: string): Promise<port.ProductRoot[]> {
    return (await this.#api.call<{ items: port.ProductRoot[] }>('GET', `${productPath(product)}/roots`)).items;
  }

  async addRoot(product: string, root: port.Signed): Promise<void> {
    await this.#api.call('POST', `${productPath(product)}/roots`, root);
  }

  releases(product: string, cursor: string): Promise<PageOf<port.Release>> {
    return this.#api.call('GET', `${productPath(product)}/releases?${new URLSearchParams({ cursor })}`);
  }

  release(id: string): Promise<port.Release> {
    return this.#api.call('GET', releasePath(id));
  }

  createRelease(product: string, version: string, code: number, notes: string): Promise<port.Release> {
    return this.#api.call('POST', `${productPath(product)}/releases`, { version, version_code: code, notes });
  }

  async setNotes(id: string, notes: string): Promise<void> {
    await this.#api.call('PATCH', releasePath(id), { notes });
  }

  async setState(id: string, state: 'active' | 'withdrawn'): Promise<void> {
    await this.#api.call('PATCH', releasePath(id), { state });
  }

  deleteRelease(id: string): Promise<void> {
    return this.#api.call('DELETE', releasePath(id));
  }

  async upload(
    product: string,
    kind: port.UploadKind,
    file: Blob,
    sent: (bytes: number) => void,
  ): Promise<port.Upload> {
    const hash = await sha256(file);
    const uploads = `${productPath(product)}/uploads`;
    // What a lost connection or a reload left behind goes on where it was.
    const known = (await this.#api.call<{ items: Known[] }>('GET', uploads)).items;
    const upload: port.Upload =
      known.find((u) => u.sha256 === hash && u.kind === kind) ??
      (await this.#api.call<port.Upload>('POST', uploads, { kind, size: file.size, sha256: hash }));
    const [from, path] = [upload.received, uploadPath(upload.id)];
    let last = -1;
    const put = async (n: number, bytes: Blob) => {
      const again = n === last;
      last = n;
      try {
        await this.#api.call('PUT', `${path}/parts/${from + n * part}`, bytes);
      } catch (err) {
        // Only the answer was lost, and the part is there.
        if (!again || !(err instanceof Refusal) || err.code !== 'upload_offset') throw err;
      }
    };
    await sendParts(file.slice(from), {
      part,
      atOnce: 1, // the server takes them in order
      put,
      sent: (bytes) => sent(from + bytes),
      passing,
      wait: (ms) => new Promise((done) => setTimeout(done, ms)),
    });
    return this.#api.call('POST', `${path}/complete`);
  }

  forgetUpload(id: string): Promise<void> {
    return this.#api.call('DELETE', uploadPath(id));
  }

  async addImage(release: string, upload: string, chip: string): Promise<void> {
    await this.#api.call('POST', `${releasePath(release)}/images`, { upload, ...(chip && { chip }) });
  }

  removeImage(release: string, sha: string): Promise<void> {
    return this.#api.call('DELETE', `${releasePath(release)}/images/${encodeURIComponent(sha)}`);
  }

  async setFactory(release: string, sha: string, upload: string): Promise<void> {
    await this.#api.call('PUT', factoryPath(release, sha), { upload });
  }

  removeFactory(release: string, sha: string): Promise<void> {
    return this.#api.call('DELETE', factoryPath(release, sha));
  }

  async factory(sha: string): Promise<Uint8Array> {
    const file = await this.#api.withToken(async (token) => {
      // From this server: a link may lead elsewhere, which pages do not reach.
      const answer = await fetch(`/firmware/images/${sha}`, { headers: { Authorization: `Bearer ${token}` } });
      if (!answer.ok) throw new Refusal(answer.status, (await answer.json()) as Problem);
      return answer.blob();
    });
    if ((await sha256(file)) !== sha) throw new Error('the file has another hash');
    return new Uint8Array(await file.arrayBuffer());
  }

  rollouts(product: string, cursor: string): Promise<PageOf<port.Rollout>> {
    return this.#api.call('GET', `${productPath(product)}/rollouts?${new URLSearchParams({ cursor })}`);
  }

  rollout(id: string): Promise<port.Rollout> {
    return this.#api.call('GET', rolloutPath(id));
  }

  createRollout(release: string, plan: port.Plan, note: string): Promise<port.Rollout> {
    return this.#api.call('POST', '/firmware/rollouts', { release, plan, note });
  }

  async act(rollout: string, action: port.RolloutAction, without?: port.Revision): Promise<void> {
    const exclude = without && { exclude: { revisions: [without] } };
    await this.#api.call('POST', `${rolloutPath(rollout)}/actions`, { action, ...exclude });
  }

  async rolloutLog(id: string): Promise<port.RolloutEntry[]> {
    return (await this.#api.call<{ items: port.RolloutEntry[] }>('GET', `${rolloutPath(id)}/log`)).items;
  }

  async crashes(product: string, version: string): Promise<port.CrashGroup[]> {
    const query = new URLSearchParams({ ...(version && { version }) });
    const path = `${productPath(product)}/crashes?${query}`;
    return (await this.#api.call<{ items: port.CrashGroup[] }>('GET', path)).items;
  }

  manifest(release: string): Promise<port.Signed> {
    return this.#api.call('GET', `${releasePath(release)}/manifest`);
  }

  async sign(release: string, manifest: port.Signed): Promise<void> {
    await this.#api.call('PUT', `${releasePath(release)}/manifest`, manifest);
  }
}
