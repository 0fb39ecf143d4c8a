import type { ComponentProps } from 'svelte';
import type { MenuItem } from '../kit/Menu.svelte';
import type RailRow from './RailRow.svelte';

/** One row of the rail: a room, a person, later a device or a model. */
export interface Row extends ComponentProps<typeof RailRow> {
  id: string;
}

/** A section of the rail is data: a new kind of thing is a new entry, not new markup. */
export interface Section {
  id: string;
  label: string;
  rows: Row[];
  /** shown when there are no rows; without it an empty section is left out */
  empty?: string | undefined;
  /** what can be added here */
  add?: { label: string; items: MenuItem[] } | undefined;
}
