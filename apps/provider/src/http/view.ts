import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import ejs from 'ejs'
import type { Assets } from './assets.ts'

/** What a person sees, declared where it is used together with the type of its data. */
export type View<Data extends object> = { readonly name: string; accepts?(data: Data): void }

/** Every whole page has a title; one that was not accepted says so in it (WCAG 2.2, technique G199). */
export type PageData = {
  title: string
  /** Moves the browser on by itself, JavaScript or not: the answer to the last POST of a journey. */
  onward?: string
  /** Browser scripts of this page, by file name in views/assets. */
  scripts?: string[]
}

/** Where a page posts to, and the token that shows it is ours. */
export type Form = { action: string; csrf: string }

/** A wrong input: `field` is the id of the input it speaks of. Shown in the summary and at the field. */
export type FieldError = { field: string; message: string }

export type Views = {
  /** A whole page inside the layout. */
  page<Data extends PageData>(view: View<Data>, data: NoInfer<Data>): string
  /** A part that another page places. */
  fragment<Data extends object>(view: View<Data>, data: NoInfer<Data>): string
}

export type Branding = { name: string }

const declared = new Set<string>()
const LAYOUT = 'layouts/page'

/** Declares a page or fragment under `views/`; whether it exists and compiles is found out at start. */
export function view<Data extends object>(name: string): View<Data> {
  declared.add(name)
  return { name }
}

/**
 * Compiles every declared view. Templates see one local, `page`, in strict mode.
 * @throws Error listing every view that is missing or broken
 */
export function createViews(root: string, assets: Assets, brand: Branding): Views {
  const compiled = compileAll(root, [...declared, LAYOUT])
  const run = (name: string, data: object) => compiled.get(name)!({ ...data, asset: assets.url, brand })
  return {
    fragment: (view, data) => run(view.name, data),
    page: (view, data) => run(LAYOUT, { ...data, body: run(view.name, data) }),
  }
}

/** Everything in the folder is compiled, partials too: a page must not break in the face of the first who needs it. */
function compileAll(root: string, names: string[]): Map<string, ejs.TemplateFunction> {
  const present = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ejs'),
  )
  const compiled = new Map<string, ejs.TemplateFunction>()
  const broken: string[] = []
  for (const name of new Set([...names, ...present.map((file) => file.slice(0, -'.ejs'.length))])) {
    try {
      compiled.set(name, compile(root, name))
    } catch (error) {
      broken.push(`${name}: ${String(error instanceof Error ? error.message : error).split('\n')[0]}`)
    }
  }
  if (broken.length) throw new Error(`Some pages cannot be shown:\n  - ${broken.join('\n  - ')}`)
  return compiled
}

function compile(root: string, name: string): ejs.TemplateFunction {
  const filename = path.join(root, `${name}.ejs`)
  return ejs.compile(readFileSync(filename, 'utf8'), {
    filename,
    root,
    strict: true,
    localsName: 'page',
    _with: false,
    // Partials are read and compiled once.
    cache: true,
    ...(name.endsWith('.text') ? { escape: asItIs } : { rmWhitespace: true }),
  }) as ejs.TemplateFunction
}

/** Plain text has no markup to guard, and its empty lines mean something. */
const asItIs = (value: unknown) => String(value)
