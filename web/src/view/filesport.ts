// What the views ask of the state behind files.

import type { PageOf } from './port';
import type { FileView, Message, User } from './types';

/** Where a file is got, for some hours. */
export interface FileLink {
  content: string;
  thumbnail?: string;
}

/** A file that somebody adds to a message. */
export interface Attachment {
  readonly key: string;
  /** of the file, once the server knows it */
  readonly id?: string | undefined;
  readonly name: string;
  /** bytes */
  readonly size: number;
  /** media type, as the browser takes it to be */
  readonly type: string;
  /** address of a picture that only this page has */
  readonly preview?: string | undefined;
  /** again: its upload was cut off by a reload, and goes on once the file is chosen again */
  readonly state: 'waiting' | 'sending' | 'checking' | 'ready' | 'failed' | 'again';
  /** bytes that are there or on their way */
  readonly sent: number;
  /** why it failed */
  readonly why?: unknown;
  /** another try would fail as well */
  readonly final?: boolean | undefined;
  /** if it is too large, what is allowed */
  readonly limits?: FileLimits | undefined;
}

/** How much room one's files take, and may take, in bytes. */
export interface FileLimits {
  used: number;
  /** absent: as much as there is */
  quota?: number;
  /** of one file */
  max_size: number;
}

/** One of the user's own files. */
export interface OwnFile extends FileView {
  room: string;
  /** no message has it, and it is deleted then */
  expires_at?: string;
}

/** What the browser knows of a recording. */
export interface Facts {
  duration_ms?: number;
  width?: number;
  height?: number;
}

/** The files of the message that somebody writes in a room. */
export interface Attachments {
  readonly items: readonly Attachment[];
  /** the message goes as soon as its files are there */
  readonly held: boolean;
  /** how many messages have gone with files */
  readonly sends: number;
  /** Takes files, and begins to upload them. Returns how many were too many. */
  add(files: readonly File[], facts?: Facts): number;
  remove(key: string): void;
  retry(key: string): void;
  /** Goes on with a file that was chosen again; false: it is another one. */
  again(key: string, file: File): Promise<boolean>;
  /** Sends what is written in the room, with the files, once they are there. */
  send(reply?: Message): void;
  /** Does not send what is held. */
  release(): void;
  /** Takes back the files of a message that was not sent. */
  adopt(files: readonly FileView[]): void;
}

/** A file as a room's list shows it. */
export interface RoomFile {
  file: FileView;
  room: string;
  seq: number;
  sender: User;
  at: string;
}

export type FileKind = 'image' | 'video' | 'audio' | 'other';

export interface Files {
  /** of the message that is written in a room, or in the thread of a message in it */
  attachments(room: string, thread: number): Attachments;
  /** The addresses of a file, as far as they are known; null: it is gone. */
  known(file: string): FileLink | null | undefined;
  /** Tells the addresses of a file each time they change, until what it returns is called. */
  watch(file: string, take: (link: FileLink | null) => void): () => void;
  /** Asks once more for a file whose address did not work; null: it is gone. */
  renew(file: string): Promise<FileLink | null>;
  /** a picture of one's own that this page still has */
  preview(file: string): string | undefined;
  /** one's own, the largest first */
  own(cursor: string): Promise<PageOf<OwnFile> & FileLimits>;
  /** Deletes one's own file that no message has. */
  remove(file: string): Promise<void>;
  list(room: string, q: string, kind: FileKind | '', before: string): Promise<PageOf<RoomFile>>;
}
