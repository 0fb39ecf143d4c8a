// What people are told of, and the browsers and apps that get pushes.

export type NotifyLevel = 'all' | 'mentions' | 'nothing';

/** A time of day on some days: 1 is Monday. It ends on the next day if its end is not after its start. */
export interface QuietSpan {
  weekdays: number[];
  start: string;
  end: string;
}

export interface QuietHours {
  /** of the IANA database */
  zone?: string;
  spans: QuietSpan[];
}

/** What is chosen for a room, or for the thread of a message in it; no level: the wider one holds. */
export interface NotifyChoice {
  room: string;
  thread?: number;
  level?: NotifyLevel;
}

/** All that the user has chosen. */
export interface Chosen {
  level: NotifyLevel;
  keywords: string[];
  quiet: QuietHours;
  paused_until?: string;
  hide_text?: boolean;
  /** not told of reports that wait for their decision */
  mute_reports?: boolean;
  /** nothing is told before: a pause, or quiet hours */
  silent_until?: string;
  choices: NotifyChoice[];
}

/** What is chosen for the account. What is undefined ends. */
export type NotifyChange = {
  [K in Exclude<keyof Chosen, 'silent_until' | 'choices'>]?: Chosen[K] | undefined;
};

/** A browser or app that gets pushes. */
export interface Subscribed {
  id: string;
  /** of this session */
  current?: boolean;
  /** "Firefox on Linux" */
  device: string;
  /** host of its push service */
  service: string;
  created_at: string;
  /** when its push service took the last push */
  sent_at?: string;
  /** since when its push service takes none, and why */
  failed_at?: string;
  failure?: string;
}

export type DigestEvery = 'never' | 'day' | 'week';

/** When the user gets a mail that sums up what they missed. */
export interface DigestChoice {
  every: DigestEvery;
  /** of a week: 1 is Monday */
  weekday?: number;
  time?: string;
  /** of the IANA database */
  zone?: string;
}

export interface Digest extends DigestChoice {
  next_at?: string;
  /** the server cannot send mail, or the account has no address */
  mail: 'ready' | 'no_mail' | 'no_address';
}

/** What the user has chosen: shown as they choose it, and as it was again if the server refuses it. */
export interface NotifyModel {
  /** nothing: not loaded */
  readonly now: Chosen | undefined;
  load(): Promise<void>;
  /** changes what holds for the account; fails with what the server says */
  set(change: NotifyChange): Promise<void>;
  /** chooses for a room or thread; likewise */
  choose(c: NotifyChoice): Promise<void>;
  /** the newest first */
  subscribed(): Promise<Subscribed[]>;
  unsubscribe(id: string): Promise<void>;
  digest(): Promise<Digest>;
  setDigest(d: DigestChoice): Promise<Digest>;
}
