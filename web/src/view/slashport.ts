// What the views ask of the state behind slash commands.

import type { SlashAnswer, SlashCommand } from './types';

/** What a program answers to the user alone, or is still to answer. */
export interface Answering extends Omit<SlashAnswer, 'text'> {
  id: number;
  /** undefined: the program is asked */
  text?: string;
}

export interface Slash {
  /** the commands of a room; they may be as old as half a minute */
  commands(room: string): Promise<readonly SlashCommand[]>;
  /** asks a program, and keeps what it answers to the user */
  run(room: string, command: string, text: string, thread?: number): Promise<void>;
  /** what was answered in a room or thread, and not dismissed */
  answers(room: string, thread?: number): readonly Answering[];
  dismiss(id: number): void;
}
