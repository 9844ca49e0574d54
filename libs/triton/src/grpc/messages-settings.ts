import { bool, map, nested, oneof, repeated, string, uint32 } from '../protobuf/fields.js';
import { message, type MessageInit, type MessageOf } from '../protobuf/message.js';
import type { LogSettings, TraceSettings, TraceSettingsRequest } from '../protocol.js';
import { invalidArgument } from '../triton-error.js';
import { mapEntries } from '../entries.js';

// Numbers and names: grpc_service.proto of github.com/triton-inference-server/common (BSD-3-Clause).

export const TraceSettingRequest = message('TraceSettingRequest', {
  settings: map(
    1,
    string,
    nested(2, message('TraceSettingRequest.SettingValue', { value: repeated(string(1)) })),
  ),
  model_name: string(2),
});

export const TraceSettingResponse = message('TraceSettingResponse', {
  settings: map(
    1,
    string,
    nested(2, message('TraceSettingResponse.SettingValue', { value: repeated(string(1)) })),
  ),
});

const logSetting = oneof('parameter_choice', {
  bool_param: bool(1),
  uint32_param: uint32(2),
  string_param: string(3),
});

export const LogSettingsRequest = message('LogSettingsRequest', {
  settings: map(1, string, nested(2, message('LogSettingsRequest.SettingValue', logSetting))),
});

export const LogSettingsResponse = message('LogSettingsResponse', {
  settings: map(1, string, nested(2, message('LogSettingsResponse.SettingValue', logSetting))),
});

/** A setting without a value goes back to its default. */
export function writeTraceSettings({
  model,
  settings = {},
}: TraceSettingsRequest): MessageInit<typeof TraceSettingRequest> {
  return {
    model_name: model,
    settings: mapEntries(settings, (value) => ({
      value: value === null ? [] : typeof value === 'string' ? [value] : value,
    })),
  };
}

export function readTraceSettings({
  settings,
}: MessageOf<typeof TraceSettingResponse>): TraceSettings {
  return mapEntries(settings, ({ value }) => value);
}

export function writeLogSettings({
  settings = {},
}: {
  readonly settings?: LogSettings | undefined;
}): MessageInit<typeof LogSettingsRequest> {
  return {
    settings: mapEntries(settings, (value, name) => {
      if (typeof value === 'boolean') return { bool_param: value };
      if (typeof value === 'string') return { string_param: value };
      if (value >>> 0 === value) return { uint32_param: value };
      throw invalidArgument(
        `settings.${name}`,
        String(value),
        'give an integer from 0 to 2^32 - 1',
      );
    }),
  };
}

/** A kind of value that this library does not know reads as an empty text. */
export function readLogSettings({ settings }: MessageOf<typeof LogSettingsResponse>): LogSettings {
  return mapEntries(
    settings,
    ({ bool_param, uint32_param, string_param = '' }) => bool_param ?? uint32_param ?? string_param,
  );
}
