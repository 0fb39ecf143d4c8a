// What the views of user groups ask of the state behind them.

import type { User } from './types';

/** People whom messages mention together. */
export interface UserGroup {
  id: string;
  handle: string;
  name: string;
  /** people in it */
  size: number;
  /** who is signed in is one of them */
  mine: boolean;
}

export interface UserGroupMembers {
  group: UserGroup;
  members: User[];
}

/** A group has at most so many people. */
export const mostInGroup = 100;

/** Reads groups, and changes them for administrators. */
export interface UserGroupApi {
  /** known for a minute */
  begun(typed: string): Promise<UserGroup[]>;
  all(): Promise<UserGroup[]>;
  /** which: an id or a handle */
  one(which: string): Promise<UserGroupMembers>;
  create(handle: string, name: string): Promise<UserGroup>;
  change(id: string, handle: string, name: string): Promise<UserGroup>;
  remove(id: string): Promise<void>;
  addMember(id: string, user: string): Promise<void>;
  removeMember(id: string, user: string): Promise<void>;
}
