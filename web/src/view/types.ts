// What the views show. One place names where the types come from.
export interface User {
  id: string;
  kind: 'user' | 'bot' | 'device';
  username: string;
  display_name: string;
  avatar?: string;
}
export interface Quote {
  seq: number;
  sender: User;
  excerpt?: string;
  deleted?: boolean;
  /** it is from before the user joined: only its number is told */
  hidden?: boolean;
  face?: MessageFace;
}
/** The name and the picture that a webhook gave a message; what is absent is as of the sender. */
export interface MessageFace {
  name?: string;
  /** in place of a picture */
  emoji?: string;
  picture?: string;
}
export interface Message {
  room: string;
  seq: number;
  sender: User;
  key?: string;
  content_type?: string;
  text: string;
  reply_to?: Quote;
  mentions?: string[];
  mentions_room?: boolean;
  at: string;
  edited_at?: string;
  edits?: number;
  deleted_at?: string;
  reactions?: Reaction[];
  /** number of the last event that changed them */
  reactions_seq?: number;
  /** of links, in their order */
  previews?: LinkPreview[];
  files?: FileView[];
  /** of a reply in a thread: number of the message that it began with */
  thread?: number;
  /** the reply is a line of the room as well */
  broadcast?: boolean;
  /** what is said in its thread */
  replies?: Replies;
  /** the message is a poll, and its text says the same */
  poll?: Poll;
  /** what it forwards; its text says the same */
  forward?: Forward;
  face?: MessageFace;
  /** the server flagged it for moderators, who have not decided yet */
  flag?: Flag;
  /** it is from before the user joined, and nothing more is told of it */
  hidden?: boolean;
}
/** What the server thinks of a message. */
export interface Flag {
  reason: 'rough_language' | 'looks_like_spam';
  /** how sure it is, in per cent */
  score: number;
  /** its author asked for a decision */
  appealed?: boolean;
}
/** From which scores on the server flags messages of a room, in per cent; absent or 0: never. */
export interface Screening {
  rough_language?: number;
  spam?: number;
}
/** The copy of a message, as it was when it was forwarded. */
export interface Forward {
  /** of the original, whose room the user may not be in */
  room: string;
  seq: number;
  sender: User;
  at: string;
  /** what the forwarder says */
  note?: string;
  text: string;
  /** more was said */
  cut?: boolean;
}
/** A question with choices, for which members of the room vote. */
export interface Poll {
  question: string;
  choices: PollChoice[];
  /** one may vote for several */
  multiple?: boolean;
  /** nobody is told who voted for what */
  anonymous?: boolean;
  /** from then on nobody can vote */
  closes_at?: string;
  /** when somebody closed it */
  closed_at?: string;
  /** how many people have voted */
  voters: number;
  /** number of the last event that changed it */
  seq?: number;
  /** what the user has voted for, counted from 1; absent: that is not known */
  mine?: number[];
}
export interface PollChoice {
  text: string;
  votes: number;
}
/** How a poll stands. */
export interface PollVotes {
  /** for each choice */
  votes: number[];
  voters: number;
  closed_at?: string;
}
/** What a page says of itself that a message links to. */
export interface LinkPreview {
  /** as it is written in the message */
  url: string;
  title?: string;
  description?: string;
  site?: string;
  image?: { id: string; width: number; height: number; alt?: string };
  /** the id of its site's icon */
  icon?: string;
}
/** A file of a message. */
export interface FileView {
  id: string;
  name: string;
  /** bytes */
  size: number;
  /** media type, from its content */
  type: string;
  /** pixels, of pictures and films */
  width?: number;
  height?: number;
  duration_ms?: number;
  thumbnail?: { width: number; height: number };
  /** it was deleted before the message */
  gone?: boolean;
}
export interface Replies {
  /** at most 1000 */
  count: number;
  /** number of the last one */
  last: number;
  at: string;
  /** who wrote the first ones */
  users: User[];
}
/** A thread as the user sees it. */
export interface Thread {
  root: number;
  following: boolean;
  read: number;
  unread: number;
  /** absent: no longer kept */
  first?: Message;
}
/** a message that is pinned in its room */
export interface Pin {
  message: Message;
  by: User;
  at: string;
  /** of the event by which it was pinned */
  seq: number;
}
/** an emoji that users gave to a message */
export interface Reaction {
  emoji: string;
  count: number;
  /** their ids, at most 20 */
  users?: string[];
  /** in answers of the REST API: the user is one of them */
  mine?: boolean;
}
export interface Detail {
  poll?: PollVotes;
  emoji?: string;
  name?: string;
  topic?: string;
  kind?: string;
  archived?: boolean;
  role?: string;
  until?: string;
  reason?: string;
  invite?: string;
  retention?: KeepOf;
  held?: boolean;
  previews?: boolean;
  hides_history?: boolean;
  look?: RoomLook;
  screening?: Screening;
  /** number of the line that this event changes: its detail is as the other fields say now */
  of?: number;
  /** id of who is mentioned */
  user?: string;
  command?: CommandLine;
  alarm?: AlarmLine;
  chart?: ChartLine;
  batch?: BatchLine;
  rollout?: RolloutLine;
}
/** A rollout of firmware, as a room shows it: as it was then. */
export interface RolloutLine {
  id: string;
  /** its name */
  product: string;
  version: string;
  state: string;
  /** from 1 */
  stage: number;
  stages: number;
  percent: number;
  devices: number;
  succeeded: number;
  failed: number;
  pause?: RolloutPause;
  /** it went on, or paused, by itself */
  itself?: boolean;
  note?: string;
}
/** Why a rollout is paused, and on what evidence. */
export interface RolloutPause {
  kind: string;
  failed: number;
  of: number;
  /** share of devices that it fails on, at least, with 99 % certainty */
  at_least?: number;
  /** that stands out the most */
  revision?: { chip: string; revision: number };
  /** probability that one stands out as much by chance */
  chance?: number;
  reason?: string;
  /** crashes per hour of a device, before the release and with it */
  before?: number;
  after?: number;
  /** share of the devices without the release that flap */
  without?: number;
}
/** What a group of devices was told. */
export interface BatchLine {
  id: string;
  group: string;
  action: string;
  args?: unknown;
  counts: BatchCounts;
}
/** How many of its devices have come how far. */
export interface BatchCounts {
  devices: number;
  pending: number;
  delivered: number;
  done: number;
  failed: number;
  expired: number;
  cancelled: number;
  refused: number;
}
/** What a device has measured in a time, as a room shows it. */
export interface ChartLine {
  from: string;
  to: string;
  series: ChartSeries[];
}
/** A series with its figures of when the chart was posted; count 0: there were no readings. */
export interface ChartSeries {
  name: string;
  title?: string;
  unit?: string;
  kind: 'number' | 'bool';
  count: number;
  min?: number;
  mean?: number;
  max?: number;
  last?: number;
}
/** One episode of a rule of a device, as a room shows it. */
export interface AlarmLine {
  id: string;
  rule: string;
  name: string;
  kind: 'threshold' | 'rate' | 'absence' | 'anomaly';
  severity: 'info' | 'warning' | 'critical';
  sensor?: string;
  value?: number;
  limit?: number;
  raised_at: string;
  cleared_at?: string;
  /** id of who acknowledged it */
  acknowledged?: string;
  acked_at?: string;
  snoozed_until?: string;
  /** nobody had acknowledged it in time */
  escalated_at?: string;
  /** name of the maintenance window in which it was raised */
  maintenance?: string;
  note?: string;
  flapping?: boolean;
}
/** A command to a device, as a room shows it. */
export interface CommandLine {
  id: string;
  action: string;
  args?: unknown;
  state: 'queued' | 'sent' | 'received' | 'running' | 'done' | 'failed' | 'expired' | 'cancelled';
  progress?: number;
  result?: unknown;
  error?: string;
  expires: string;
}
/** how long messages are kept; absent or 0: for good, and all of them */
export interface Keep {
  days?: number;
  lines?: number;
}
export interface KeepOf extends Keep {
  server?: boolean;
}
export interface RetentionRules {
  default: Keep;
  min_days: number;
  max_days: number;
}
export interface Event {
  room: string;
  seq: number;
  type: string;
  actor: User;
  at: string;
  subject?: User;
  message?: Message;
  detail?: Detail;
  folded?: Folded;
}
/** joins and departures right before an event that a page leaves out: how many, and the number of the first */
export interface Folded {
  from: number;
  count: number;
}
export interface Member extends User {
  role: string;
  muted_until?: string;
  joined_at: string;
  /** of the server, for a time */
  guest?: boolean;
}
/** By what a room is told from others: a picture or an emoji, and a colour. */
export interface RoomLook {
  /** absent: one by the room's id */
  colour?: string;
  emoji?: string;
  avatar?: string;
}
export interface Room {
  id: string;
  kind: 'public' | 'private' | 'direct';
  name?: string;
  topic?: string;
  archived?: boolean;
  head: number;
  floor?: number;
  retention?: Keep;
  held?: boolean;
  previews?: boolean;
  /** whoever joins from now on does not see what was written before */
  hides_history?: boolean;
  look?: RoomLook;
  screening?: Screening;
  members: number;
  created_at: string;
  last_at: string;
}
export interface RoomState extends Room {
  role?: string;
  muted_until?: string;
  /** the last number that the user does not see: it was there before they joined */
  since?: number;
  read: number;
  unread: number;
  mentions: number;
  /** followed, with unread replies */
  threads?: number;
  /** the user follows each thread that gets a reply */
  follow_threads?: boolean;
  last?: Message;
  peers?: User[];
  /** how many of the members are guests of the server */
  guests?: number;
}
/** A room in the directory. */
export interface PublicRoom extends Room {
  joined: boolean;
  last?: Message;
}

/** Somebody asks whether the user wants to be in a room. */
export interface RoomRequest {
  room: string;
  kind: 'public' | 'private' | 'direct';
  name?: string;
  topic?: string;
  look?: RoomLook;
  members: number;
  by: User;
  at: string;
}

export interface Invite {
  id: string;
  code?: string;
  created_by: string;
  created_at: string;
  expires?: string;
  max_uses?: number;
  uses: number;
}
/** What a bot comes by. */
export interface BotToken {
  id: string;
  name?: string;
  /** the token itself; only when it is made */
  secret?: string;
  scopes: readonly ('read' | 'write' | 'files' | 'manage')[];
  rooms?: string[];
  created_at: string;
  used_at?: string;
}

/** The account of a program. */
export interface Bot {
  user: User;
  created_at: string;
  tokens: BotToken[];
}

/** A bot that a language model answers for. */
export interface Assistant {
  bot: User;
  /** what the model is told */
  instructions?: string;
  created_at: string;
}

/** Where answers of assistants come from, and which bots of who is signed in are assistants. */
export interface AssistantList {
  /** false: the operator has named no endpoint */
  on: boolean;
  /** that what an assistant is asked goes to */
  host?: string;
  model?: string;
  /** who is signed in may make bots of theirs assistants */
  may: boolean;
  items: Assistant[];
}

/** A webhook, by which another program posts to a room. */
export interface Hook {
  id: string;
  name: string;
  avatar?: string;
  /** its messages may have a name and a picture of their own */
  faces: boolean;
  /** its address; only when it is made or renewed */
  url?: string;
  created_by: User;
  created_at: string;
  renewed_at?: string;
  used_at?: string;
  failed_at?: string;
  failure?: string;
}

/** An address to which the server sends what happens in a room. */
export interface OutgoingHook {
  id: string;
  name: string;
  url: string;
  programs: boolean;
  /** checks signatures; only when it is made or replaced */
  secret?: string;
  /** why it sends nothing */
  off?: 'admin' | 'failed' | 'gone' | 'left';
  sent_at?: string;
  /** since when the receiver takes nothing */
  failed_at?: string;
  failure?: string;
  /** deliveries that wait */
  waiting: number;
}

/** A word that people write after a slash, and an address that is asked then. Only admins of the room get all of it. */
export interface SlashCommand {
  id: string;
  name: string;
  description?: string;
  /** what is written after the name */
  hint?: string;
  /** why it asks nobody */
  off?: 'admin' | 'left';
  url?: string;
  /** checks signatures; only when it is made or replaced */
  secret?: string;
  used_at?: string;
  failed_at?: string;
  failure?: string;
  /** it is of the server */
  server?: boolean;
  /** which rooms have it, if it is of the server; absent: public and private ones */
  rooms?: 'public' | 'private';
  /** guests may use it, if it is of the server */
  guests?: boolean;
}

/** What a program answers to a slash command, to the user alone. */
export interface SlashAnswer {
  room: string;
  thread?: number;
  command: string;
  text: string;
}

/** An event that an outgoing webhook has to send, or has sent. */
export interface HookDelivery {
  id: string;
  type: string;
  at: string;
  state: 'waiting' | 'delivered' | 'failed' | 'dropped';
  tries: number;
  /** of the answer */
  status?: number;
  answer?: string;
  failure?: string;
}
export interface Ban {
  user: User;
  by: string;
  reason?: string;
  at: string;
}
export interface Status {
  mode?: 'dnd' | 'invisible' | '';
  text?: string;
  emoji?: string;
  expires?: string;
}
export interface Profile extends User {
  about?: string;
  time_zone?: string;
  created_at: string;
  disabled?: boolean;
  guest?: boolean;
}
export interface Me extends Profile {
  email?: string;
  locale?: string;
  role: string;
  status: Status;
  /** of a guest: when the access ends */
  guest_until?: string;
}
