import type { ComponentChildren } from "preact";

export interface Column<T> {
  /** What heads it; a text for the ear alone when it is hidden. */
  name: string;
  hidden?: boolean;
  cell: (row: T) => ComponentChildren;
}

/** A table that becomes a list of cards where it is narrow: each cell then says what it is. The first column names the row. */
export function Table<T>(props: {
  label: string;
  rows: T[];
  columns: Column<T>[];
  id: (row: T) => string;
  empty: string;
  class?: (row: T) => string;
}) {
  if (props.rows.length === 0) return <p class="empty">{props.empty}</p>;
  return (
    <table class="table" aria-label={props.label}>
      <thead>
        <tr>
          {props.columns.map((c) => (
            <th key={c.name} scope="col">
              {c.hidden ? <span class="aloud">{c.name}</span> : c.name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {props.rows.map((row) => (
          <tr key={props.id(row)} data-id={props.id(row)} class={props.class?.(row)}>
            {props.columns.map((c, n) =>
              n === 0 ? (
                <th key={c.name} scope="row">
                  {c.cell(row)}
                </th>
              ) : (
                <td key={c.name} data-name={c.hidden ? "" : c.name}>
                  {c.cell(row)}
                </td>
              ),
            )}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
