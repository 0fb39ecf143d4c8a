// What the administrator's views ask of the state behind them.

import type { ModelAnswer, ModelChange, ModelList, Tensor } from './modelport';
import type { AdminReport, Decision, QueuePage, ReportContext } from './moderationport';
import type { PageOf } from './port';
import type { Profile, Room, User } from './types';

export type SystemRole = 'user' | 'admin' | 'guest';

/** An account as administrators see it. */
export interface Account extends Profile {
  email?: string;
  role: SystemRole;
  disabled: boolean;
  /** the e-mail address is not proven yet */
  pending: boolean;
  last_seen_at?: string;
  /** of a guest: when the access ends, or has ended */
  guest_until?: string;
}

export interface AccountDetail extends Account {
  totp: boolean;
  passkeys: number;
  recovery_codes: number;
  sessions: { id: string; device: string; ip: string; created_at: string; last_seen_at: string }[];
}

/** What an invitation is to be. */
export interface InviteRequest {
  note: string;
  days: number;
  max_uses: number;
  guest_days?: number;
  rooms?: string[];
}

/** An invitation to the server. */
export interface ServerInvite {
  id: string;
  note?: string;
  /** there once, when it is made */
  link?: string;
  created_at: string;
  expires_at: string;
  max_uses: number;
  uses: number;
  /** who comes by it is a guest, for so many days */
  guest_days?: number;
  /** ids of the rooms that they are added to */
  rooms?: string[];
}

export interface OwnedRoom extends Room {
  owner?: User;
}

export type RoomOrder = 'name' | 'activity' | 'size';

/** What can be changed while the server runs. */
export interface ServerSettings {
  registration: 'open' | 'invite' | 'closed';
  second_factor: 'none' | 'admins' | 'everyone';
  /** who may add emoji */
  custom_emoji: 'everyone' | 'admins';
  /** numbers; 0: no bound */
  retention_days: string;
  retention_lines: string;
  retention_min_days: string;
  retention_max_days: string;
}

export interface Health {
  version: string;
  started_at: string;
  url: string;
  connections: number;
  store: { kind: 'sqlite' | 'postgres'; bytes: number };
  disk?: { free_bytes: number; total_bytes: number };
  mail: { on: boolean; waiting: number; oldest?: string; failed: number };
  audit: { head: number; signed: number; receivers: { name: string; behind: number; dropped: number }[] };
  certificates: { names: string[]; ends_at: string }[];
  problems: { code: string; bad: boolean; name?: string }[];
}

/** One record of the audit log. */
export interface AuditRecord {
  seq: number;
  time: string;
  id: string;
  type: string;
  outcome: 'success' | 'failure' | 'blocked';
  severity: number;
  reason?: string;
  actor_kind: string;
  actor_id?: string;
  actor_name?: string;
  target_kind?: string;
  target_id?: string;
  target_name?: string;
  src_ip?: string;
  erased?: boolean;
  hash: string;
  [more: string]: unknown;
}

/** Which records are wanted; empty: all. Times are RFC 3339. */
export interface AuditFilter {
  type: string;
  actor: string;
  outcome: string;
  from: string;
  to: string;
}

export interface AuditPage {
  records: AuditRecord[];
  /** the last record of the log */
  head: number;
  /** where the next page begins; absent: there is none */
  next?: number;
}

export interface Verdict {
  intact: boolean;
  records: number;
  last: number;
  hash: string;
  checkpoints: number;
  problems: string[];
}

/** What administrators do. Whatever is dangerous may ask them to confirm who they are first. */
export interface Administration {
  accounts(q: string, role: '' | SystemRole, cursor: string): Promise<PageOf<Account>>;
  account(id: string): Promise<AccountDetail>;
  setRole(id: string, role: SystemRole): Promise<void>;
  /** makes somebody a guest until then, or changes until when they are one; a time that has passed ends their access */
  setGuest(id: string, until: Date): Promise<void>;
  setDisabled(id: string, disabled: boolean): Promise<void>;
  /** the link to pass on, unless a mail with it is on its way */
  resetPassword(id: string): Promise<{ mailed: boolean; link?: string }>;
  resetFactors(id: string): Promise<void>;
  endSession(id: string, session: string): Promise<void>;
  endSessions(id: string): Promise<void>;
  deleteAccount(id: string): Promise<void>;
  invites(): Promise<ServerInvite[]>;
  invite(o: InviteRequest): Promise<ServerInvite>;
  uninvite(id: string): Promise<void>;
  rooms(q: string, order: RoomOrder, cursor: string): Promise<PageOf<OwnedRoom>>;
  archiveRoom(id: string, archived: boolean): Promise<void>;
  /** puts a room under a legal hold, or ends it */
  holdRoom(id: string, held: boolean, reason: string): Promise<void>;
  deleteRoom(id: string): Promise<void>;
  /** reports that moderators cannot decide on, or have not in time */
  reports(cursor: string): Promise<QueuePage<AdminReport>>;
  /** the message with those around it; that somebody looked is recorded */
  report(room: string, seq: number): Promise<ReportContext>;
  decideReport(room: string, seq: number, decision: Decision): Promise<void>;
  audit(f: AuditFilter, place: { before?: number; after?: number }): Promise<AuditPage>;
  verify(): Promise<Verdict>;
  settings(): Promise<ServerSettings>;
  setSettings(s: Partial<Record<keyof ServerSettings, string | number>>): Promise<ServerSettings>;
  health(): Promise<Health>;
  models(): Promise<ModelList>;
  changeModel(name: string, change: ModelChange): Promise<void>;
  /** version 0: the one that the routing has for the caller */
  tryModel(name: string, version: number, inputs: Tensor[]): Promise<ModelAnswer>;
}
