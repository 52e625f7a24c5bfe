// Makes elements. What it is given becomes text or attributes, never markup.

export type Child = Node | string | number | null | undefined | false;

type Listeners = Readonly<Record<string, (event: Event) => void>>;

export interface Props {
  readonly class?: string | false | undefined;
  readonly on?: Listeners;
  readonly [attribute: string]: string | number | boolean | undefined | Listeners;
}

export function h<K extends keyof HTMLElementTagNameMap>(
  name: K,
  props: Props = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(name);
  for (const [attribute, value] of Object.entries(props)) {
    if (value === undefined || value === false || typeof value === 'object') continue;
    element.setAttribute(attribute, value === true ? '' : String(value));
  }
  for (const [event, listener] of Object.entries(props.on ?? {})) element.addEventListener(event, listener);
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false).map(nodeOf));
  return element;
}

function nodeOf(child: Child): Node | string {
  return child instanceof Node ? child : String(child);
}

/** A figure that programs can read, too. */
export function figure(value: number, shown: string): HTMLDataElement {
  return h('data', { value }, shown);
}

export function button(text: string, click: (event: Event) => void, props: Props = {}): HTMLButtonElement {
  return h('button', { type: 'button', ...props, on: { click } }, text);
}

let labels = 0;

/** A control under its label. */
export function labelled(text: string, control: HTMLElement, hint?: string): HTMLElement {
  control.id ||= `control-${++labels}`;
  if (hint === undefined) return h('p', { class: 'field' }, h('label', { for: control.id }, text), control);
  control.setAttribute('aria-describedby', `${control.id}-hint`);
  return h(
    'p',
    { class: 'field' },
    h('label', { for: control.id }, text),
    control,
    h('small', { id: `${control.id}-hint` }, hint),
  );
}

export function select(
  options: readonly (readonly [value: string, text: string])[],
  props: Props = {},
): HTMLSelectElement {
  return h('select', props, ...options.map(([value, text]) => h('option', { value }, text)));
}

/** Puts these children in place of all there were. */
export function fill(element: Element, ...children: readonly Child[]): void {
  element.replaceChildren(
    ...children.filter((child) => child !== null && child !== undefined && child !== false).map(nodeOf),
  );
}
