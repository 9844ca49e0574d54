/**
 * How each of Triton's data types is held. BOOL is 0 or 1 a byte. FP16 and BF16 are their bits (`fp16` and `bf16` make them of
 * numbers, `toNumbers` reads them). BYTES are texts or blobs of any length (`toStrings` reads them).
 */
export interface TensorData {
  BOOL: Uint8Array;
  UINT8: Uint8Array;
  UINT16: Uint16Array;
  UINT32: Uint32Array;
  UINT64: BigUint64Array;
  INT8: Int8Array;
  INT16: Int16Array;
  INT32: Int32Array;
  INT64: BigInt64Array;
  FP16: Uint16Array;
  FP32: Float32Array;
  FP64: Float64Array;
  BF16: Uint16Array;
  BYTES: readonly Uint8Array[];
}

export type DataType = keyof TensorData;

/** A tensor: row-major elements, as many as the product of its shape. Its data may share memory with a network buffer. */
export type Tensor<D extends DataType = DataType> = {
  [K in D]: {
    readonly datatype: K;
    readonly shape: readonly number[];
    readonly data: TensorData[K];
  };
}[D];
