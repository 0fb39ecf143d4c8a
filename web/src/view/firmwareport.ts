// What the pages about firmware ask of the state behind them.

import type { PageOf } from './port';
import type { RolloutPause, User } from './types';

/** What firmware is for. */
export interface Product {
  id: string;
  owner: User;
  /** also the project name of its images */
  name: string;
  title: string;
  room?: string;
  /** version of the newest root; 0: there is none */
  root: number;
  right?: 'see' | 'manage' | 'own';
  /** whoever knows its id may join with their devices */
  open: boolean;
  /** by which others join; for its owner */
  code?: string;
  /** devices of others that have joined */
  joined: number;
}

/** What the owner of a device agrees to who has it join a product of somebody else. */
export interface Terms {
  /** id */
  product: string;
  name: string;
  title: string;
  publisher: User;
}

/** The product of somebody else that a device has joined. */
export interface Joined extends Terms {
  /** its owner is asked about each release */
  ask: boolean;
}

/** A release that a device was to take. */
export interface DeviceUpdate {
  id: string;
  state: string;
  version: string;
  /** version that it ran before; empty: it has not said */
  from: string;
  /** bytes of size that it has */
  offset?: number;
  size?: number;
  reason?: string;
  /** why it restarted */
  reset?: string;
  ended_at?: string;
  changed_at: string;
}

/** What a device runs, and its updates, the newest first. */
export interface DeviceFirmware {
  version?: string;
  chip?: string;
  updates: DeviceUpdate[];
  joined?: Joined;
}

/** By which a device gets updates that knows only other protocols. Whoever has a URL gets the device's firmware. */
export interface OtaLink {
  /** id */
  product: string;
  chip: string;
  /** major * 100 + minor */
  revision: number;
  image: string;
  manifest: string;
  md5: string;
}

/** Devices that run the same image. */
export interface FleetGroup {
  version: string;
  chip: string;
  devices: number;
  /** of these, devices of others */
  shared: number;
}

export interface FirmwareKey {
  keyid: string;
  kind: string;
  not_after?: string;
}

/** Whose signatures a product trusts. */
export interface ProductRoot {
  version: number;
  sha256: string;
  expires?: string;
  release_threshold: number;
  root_keys: FirmwareKey[];
  release_keys: FirmwareKey[];
  offer_keys: FirmwareKey[];
  /** this server may make offers */
  trusts_server: boolean;
}

export interface Finding {
  level: 'info' | 'warning' | 'error';
  code: string;
  text: string;
  fix?: string;
}

/** What an image says about itself. */
export interface ImageInfo {
  format: 'esp' | 'raw' | 'factory';
  chip?: string;
  project?: string;
  version?: string;
  built?: string;
  sdk?: string;
  secure_version: number;
  elf_sha256?: string;
  signing_keys?: string[];
  findings?: Finding[];
  /** bytes of flash that a factory image needs */
  flash_size?: number;
  /** what of a factory image is written, and where */
  parts?: FlashPart[];
}

/** A part of a factory image. Where the file ends before it, it goes on with 0xff. */
export interface FlashPart {
  name: string;
  /** in the file and in flash */
  offset: number;
  size: number;
  md5: string;
}

/** What a new board gets by its cable: bootloader, partition table and application. */
export interface FactoryImage {
  sha256: string;
  size: number;
  info: ImageInfo;
  url: string;
}

export interface Image {
  sha256: string;
  size: number;
  chip: string;
  revision_min: number;
  /** 65535: any */
  revision_max: number;
  secure_version: number;
  has_elf: boolean;
  info: ImageInfo;
  /** patches that make it of what devices run */
  deltas: { size: number }[];
  url: string;
  factory?: FactoryImage;
}

export type ReleaseState = 'draft' | 'signed' | 'active' | 'withdrawn';

export interface Release {
  id: string;
  product: string;
  version: string;
  version_code: number;
  notes: string;
  state: ReleaseState;
  /** ids of keys */
  signed_by: string[];
  images: Image[];
  created_at: string;
  changed_at: string;
}

export interface Upload {
  id: string;
  size: number;
  received: number;
  image?: ImageInfo;
}

export type UploadKind = 'image' | 'raw' | 'elf' | 'factory';

export interface Revision {
  chip: string;
  revision: number;
}

export interface Stage {
  percent: number;
  at_least?: number;
  /** seconds that it is watched before the next */
  soak?: number;
}

/** How a rollout goes; what is left out is the server's usual choice. */
export interface Plan {
  stages?: Stage[];
  target?: { tag?: string };
  exclude?: { revisions?: Revision[] };
  windows?: { weekdays: number[]; start: string; minutes: number }[];
  require?: { battery?: number };
  consent?: boolean;
  approval?: boolean;
}

export type RolloutState =
  | 'awaiting_approval'
  | 'scheduled'
  | 'running'
  | 'soaking'
  | 'paused'
  | 'completed'
  | 'aborted'
  | 'reverting'
  | 'reverted';

export interface Funnel {
  /** how many devices are in each state */
  states: Record<string, number>;
  failed: number;
  hardware: (Revision & { succeeded: number; failed: number; rejected: number })[];
  /** of those that failed, the most frequent first */
  reasons: { reason: string; count: number }[];
  contacted: number;
  reported: number;
}

/** Brings a release to devices in stages. */
export interface Rollout {
  id: string;
  product: string;
  release: string;
  version: string;
  state: RolloutState;
  /** that is open, from 0 */
  stage: number;
  /** that are meant */
  devices: number;
  soak_until?: string;
  pause?: RolloutPause;
  /** absent: it paused by itself, or the account is gone */
  paused_by?: User;
  plan: Plan;
  note?: string;
  /** id of the rollout that takes it back, or has */
  reverted_by?: string;
  created_by: User;
  created_at: string;
  right?: 'see' | 'manage' | 'own';
  counts?: Funnel;
}

export interface RolloutEntry {
  seq: number;
  at: string;
  /** absent: it went on by itself */
  by?: User;
  what: string;
  stage: number;
  pause?: RolloutPause;
  note?: string;
}

/** Crashes at one place. */
export interface CrashGroup {
  signature: string;
  count: number;
  devices: number;
  last: string;
  version: string;
  reset_reason: string;
  task?: string;
  pc: number;
  backtrace: number[];
  /** as far as they are known, the innermost first */
  calls: { address: number; function?: string; file?: string; line?: number; inlined?: boolean }[];
  explained: 'no_elf' | 'pending' | 'done' | 'failed';
  message?: string;
}

/** A signed document, as its file has it. */
export type Signed = Record<string, unknown>;

/** What somebody does with a rollout. */
export type RolloutAction = 'approve' | 'pause' | 'resume' | 'abort' | 'advance' | 'continue';

export interface Firmware {
  /** PEM of the key by which the server signs offers */
  offerKey(): Promise<string>;
  products(): Promise<Product[]>;
  product(id: string): Promise<Product>;
  createProduct(name: string, title: string, room: string): Promise<Product>;
  deleteProduct(id: string): Promise<void>;
  /** says how others may join; what is left out stays as it is */
  share(product: string, how: { open?: boolean; code?: 'new' | 'none' }): Promise<void>;
  /** has all devices of others leave */
  sendAway(product: string): Promise<void>;
  deployed(product: string): Promise<FleetGroup[]>;
  /** of a code, or of the id of an open product */
  terms(code: string): Promise<Terms>;
  /** has a device of the user's join: code is that of a product, or the id of an open one or of that which it is in */
  join(device: string, code: string, ask: boolean): Promise<void>;
  leave(device: string): Promise<void>;
  ofDevice(device: string): Promise<DeviceFirmware>;
  agree(device: string, update: string): Promise<void>;
  /** undefined: there is none */
  otaLink(device: string): Promise<OtaLink | undefined>;
  /** makes a link; one that was there ends */
  setOtaLink(device: string, product: string, chip: string, revision: number): Promise<void>;
  endOtaLink(device: string): Promise<void>;
  roots(product: string): Promise<ProductRoot[]>;
  addRoot(product: string, root: Signed): Promise<void>;
  releases(product: string, cursor: string): Promise<PageOf<Release>>;
  release(id: string): Promise<Release>;
  createRelease(product: string, version: string, code: number, notes: string): Promise<Release>;
  setNotes(id: string, notes: string): Promise<void>;
  setState(id: string, state: 'active' | 'withdrawn'): Promise<void>;
  deleteRelease(id: string): Promise<void>;
  /** Sends a file, or the rest of it if a part is there, and says how many bytes are there. */
  upload(product: string, kind: UploadKind, file: Blob, sent: (bytes: number) => void): Promise<Upload>;
  forgetUpload(id: string): Promise<void>;
  addImage(release: string, upload: string, chip: string): Promise<void>;
  removeImage(release: string, sha256: string): Promise<void>;
  setFactory(release: string, sha256: string, upload: string): Promise<void>;
  removeFactory(release: string, sha256: string): Promise<void>;
  /** the file of a factory image, whose hash was checked */
  factory(sha256: string): Promise<Uint8Array>;
  rollouts(product: string, cursor: string): Promise<PageOf<Rollout>>;
  rollout(id: string): Promise<Rollout>;
  createRollout(release: string, plan: Plan, note: string): Promise<Rollout>;
  /** carries out an action; without is the revision that is left out from now on */
  act(rollout: string, action: RolloutAction, without?: Revision): Promise<void>;
  rolloutLog(id: string): Promise<RolloutEntry[]>;
  crashes(product: string, version: string): Promise<CrashGroup[]>;
  manifest(release: string): Promise<Signed>;
  sign(release: string, manifest: Signed): Promise<void>;
}
