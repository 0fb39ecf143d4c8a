// What the pages about firmware ask of the state behind them.

import type { PageOf } from './port';
import type { User } from './types';

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
  format: 'esp' | 'raw';
  chip?: string;
  project?: string;
  version?: string;
  built?: string;
  sdk?: string;
  secure_version: number;
  elf_sha256?: string;
  signing_keys?: string[];
  findings?: Finding[];
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
  url: string;
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

export type UploadKind = 'image' | 'raw' | 'elf';

/** A signed document, as its file has it. */
export type Signed = Record<string, unknown>;

/** What somebody does with a rollout. */
export type RolloutAction = 'approve' | 'pause' | 'resume' | 'abort' | 'continue';

/** Where a rollout is by now, and what the user may do with it. */
export interface RolloutNow {
  state: string;
  stage: number;
  product: string;
  right?: string;
}

export interface Firmware {
  rolloutNow(id: string): Promise<RolloutNow>;
  /** carries out an action; without is the revision that is left out from now on */
  actOn(id: string, action: RolloutAction, without?: { chip: string; revision: number }): Promise<void>;
  /** PEM of the key by which the server signs offers */
  offerKey(): Promise<string>;
  products(): Promise<Product[]>;
  product(id: string): Promise<Product>;
  createProduct(name: string, title: string, room: string): Promise<Product>;
  deleteProduct(id: string): Promise<void>;
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
  manifest(release: string): Promise<Signed>;
  sign(release: string, manifest: Signed): Promise<void>;
}
