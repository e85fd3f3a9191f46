import { useId } from "preact/hooks";
import { settings as s } from "../texts";
import { type Form, Text } from "./form";

const supported = () => {
  try {
    return Intl.supportedValuesOf("timeZone");
  } catch {
    return [];
  }
};

/** The zones that the browser knows, and the one that it is in. */
export const zones = { all: supported(), here: Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC" };

/** A time zone by its IANA name, with what the browser knows to choose from. */
export function Zone<T>(props: { form: Form<T>; at: string; hint?: string }) {
  const id = useId();
  return (
    <>
      <Text
        form={props.form}
        at={props.at}
        label={s.zone.label}
        hint={props.hint ?? s.zone.hint(zones.here)}
        list={id}
        maxLength={64}
        placeholder={zones.here}
      />
      <datalist id={id}>
        {zones.all.map((z) => (
          <option key={z} value={z} />
        ))}
      </datalist>
    </>
  );
}
