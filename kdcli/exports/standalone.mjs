const NO_VALUE = { number: "not a number", date: "not a date", "yes/no": "neither yes nor no" };
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
const DATE = /^(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:[ T](\d{1,2}):(\d{1,2}):(\d{1,2}(?:\.\d+)?))?$/;
const DATE_BY_DAY = /^(\d{1,2})\.(\d{1,2})\.(\d{4})$/;

export const CLASSES = MODEL.classes;
export const COLUMNS = MODEL.columns.map((column) => column[0]);

/** The class of a row; if several are equally probable, the first. */
export function predict(row) {
  const p = predictProba(row);
  return CLASSES[p.indexOf(Math.max(...p))];
}

/**
 * The probability of each of CLASSES, for a row: an object with a value for each of COLUMNS, or a Map of them.
 * A missing value is null, undefined, NaN or an empty text. A model of images takes pixels instead, channel
 * by channel, and row by row. Throws a RangeError for a value that the column cannot have.
 */
export function predictProba(row) {
  return probabilities(encode(row));
}

/** The features of a row: 32-bit numbers. */
export function encode(row) {
  if (!MODEL.columns.length) {
    const pixels = Float32Array.from(Array.isArray(row) ? row.flat(Infinity) : row);
    if (!pixels.every(Number.isFinite)) throw new RangeError("a pixel is not a finite number");
    return pixels;
  }
  const features = [];
  for (const column of MODEL.columns) {
    const name = column[0], isGiven = row instanceof Map ? row.has(name) : Object.prototype.hasOwnProperty.call(row, name);
    if (!isGiven) throw new RangeError(`the row has no column ${JSON.stringify(name)}`);
    features.push(...featuresOf(row instanceof Map ? row.get(name) : row[name], ...column));
  }
  return Float32Array.from(features);
}

function featuresOf(given, name, kind, middle, missing, levels, others, numeric) {
  const value = typeof given === "string" ? given.trim() : given;
  const lacking = isMissing(value, levels);
  let features;
  if (kind === "category") {
    const word = wordOf(value, numeric);
    features = levels.map((level) => Number(!lacking && word === level));
    if (others) features.push(Number(!lacking && !levels.includes(word)));
  } else {
    if (lacking && !MODEL.fills) throw new RangeError(`column ${JSON.stringify(name)} has no value`);
    features = [lacking ? middle : numberOf(value, kind, name)];
    if (kind === "date") features.push(...calendar(features[0]));
  }
  return missing ? [...features, Number(lacking)] : features;
}

/** Whether a value counts as missing; so does a number whose text counts as missing. */
function isMissing(value, levels) {
  if (typeof value === "string") return !levels.includes(value) && (!value || MODEL.missing.includes(value));
  if (value === null || value === undefined || Number.isNaN(value)) return true;
  return MODEL.missing.some((word) => NUMBER.test(word) && Number(word) === value);
}

/** A category as a word; for numbers, 1.0 and "1.0" become "1". */
function wordOf(value, numeric) {
  const text = String(value);
  if (!numeric || !NUMBER.test(text)) return text;
  return /^[+-]?\d+$/.test(text) ? String(BigInt(text.replace("+", ""))) : String(Number(text));
}

/** A value as a number: yes as 1, a date as days since 1970-01-01. */
function numberOf(value, kind, name) {
  if (kind === "yes/no" && typeof value === "string" && [...MODEL.yes, ...MODEL.no].includes(value.toLowerCase())) {
    return Number(MODEL.yes.includes(value.toLowerCase()));
  }
  const isNumber = typeof value === "string" ? NUMBER.test(value) : ["number", "boolean"].includes(typeof value);
  const number = kind === "date" ? days(value) : isNumber ? Number(value) : NaN;
  if (Number.isNaN(number)) {
    throw new RangeError(`column ${JSON.stringify(name)} has ${JSON.stringify(value)}, which is ${NO_VALUE[kind]}`);
  }
  if (!(Math.abs(number) <= MODEL.largest)) {
    throw new RangeError(`column ${JSON.stringify(name)} has ${value}, which is not a finite 32-bit number`);
  }
  return number;
}

/** The days from 1970-01-01 to a Date (in UTC), or to a text such as 2020-12-31 or 31.12.2020. */
function days(value) {
  if (value instanceof Date) return value.getTime() / 86400e3;
  const byYear = DATE.exec(value), byDay = DATE_BY_DAY.exec(value);
  if (!byYear && !byDay) return NaN;
  const [year, month, day] = byYear ? byYear.slice(1, 4) : byDay.slice(1).reverse();
  const clock = byYear ? byYear.slice(4).map((part) => Number(part ?? 0)) : [0, 0, 0];
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  if (date.getUTCMonth() !== Number(month) - 1 || clock[0] > 23 || clock[1] > 59 || clock[2] >= 60) return NaN;
  return date.getTime() / 86400e3 + (clock[0] * 3600 + clock[1] * 60 + clock[2]) / 86400;
}

/** The month and the weekday (1 is Monday) of a day, given as days since 1970-01-01. */
function calendar(day) {
  const date = new Date(Math.floor(day) * 86400e3);
  return [date.getUTCMonth() + 1, date.getUTCDay() || 7];
}

/** The probability of each of CLASSES, for the features of a row. */
export function probabilities(x) {
  if (x.length !== MODEL.features) {
    throw new RangeError(`there are ${x.length} features, but ${MODEL.features} are needed`);
  }
  const outputs = MODEL.trees ? added(x) : network(x);
  if (!MODEL.softmax) return outputs;
  const most = Math.max(...outputs);
  const powers = outputs.map((output) => Math.exp(output - most));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

/** The outputs of the last layer; between layers, negative values become 0. */
function network(x) {
  let h = Array.from(x);
  if (MODEL.convolution) h = convolved(h, ...MODEL.convolution).map((value) => Math.max(value, 0));
  MODEL.layers.forEach(([weights, biases], k) => {
    if (k) h = h.map((value) => Math.max(value, 0));
    h = biases.map((bias, unit) => {
      const row = weights[unit];
      let sum = bias;
      for (let j = 0; j < row.length; j++) sum += row[j] * h[j];
      return sum;
    });
  });
  return h;
}

/** The output of each filter at each position, filter by filter. */
function convolved(x, filters, biases, [channels, rows, columns, side]) {
  const outputs = [];
  for (let filter = 0; filter < filters.length; filter++) {
    for (let top = 0; top <= rows - side; top++) {
      for (let left = 0; left <= columns - side; left++) {
        let sum = biases[filter], weight = 0;
        for (let channel = 0; channel < channels; channel++) {
          for (let row = top; row < top + side; row++) {
            const start = (channel * rows + row) * columns;
            for (let column = left; column < left + side; column++) {
              sum += filters[filter][weight++] * x[start + column];
            }
          }
        }
        outputs.push(sum);
      }
    }
  }
  return outputs;
}

/** The sums of the values of the leaves that a row ends in. */
function added(x) {
  const { feature, threshold, left, right, roots, value, first, base } = MODEL.trees;
  const outputs = [...base];
  roots.forEach((root, tree) => {
    let node = root;
    while (node >= 0) node = x[feature[node]] > threshold[node] ? right[node] : left[node];
    value[-1 - node].forEach((more, k) => { outputs[first[tree] + k] += more; });
  });
  return outputs;
}

/** The number of golden vectors, which are in the file beside this one, that do not match. */
export function check(golden) {
  return golden.rows.filter((vector) => {
    const row = COLUMNS.length ? new Map(COLUMNS.map((name, k) => [name, vector.row[k]])) : vector.x;
    return predictProba(row).some((p, k) => !(Math.abs(p - vector.probabilities[k]) <= golden.tolerance));
  }).length;
}

// Round to the 32-bit numbers that these digits stand for: thresholds must divide features exactly.
if (MODEL.trees) MODEL.trees.threshold = Float32Array.from(MODEL.trees.threshold);
MODEL.layers = MODEL.layers.map(([weights, biases]) => [
  weights.map((row) => Float32Array.from(row)),
  biases.map(Math.fround),
]);
