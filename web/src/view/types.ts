// What the views show. One place names where the types come from.
export interface User { id: string; kind: 'user' | 'bot' | 'device'; username: string; display_name: string; avatar?: string }
export interface Quote { seq: number; sender: User; excerpt?: string; deleted?: boolean }
export interface Message {
  room: string; seq: number; sender: User; key?: string; content_type?: string; text: string; reply_to?: Quote;
  mentions?: string[]; mentions_room?: boolean; at: string; edited_at?: string; edits?: number; deleted_at?: string;
}
export interface Detail { name?: string; topic?: string; kind?: string; archived?: boolean; role?: string; until?: string; reason?: string; invite?: string }
export interface Event { room: string; seq: number; type: string; actor: User; at: string; subject?: User; message?: Message; detail?: Detail }
