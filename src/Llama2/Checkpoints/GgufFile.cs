using System.Buffers;
using System.Runtime.ExceptionServices;

namespace Llama2;

/// <summary>Writes GGUF files.</summary>
public static class GgufFile
{
    private const int Alignment = 32;                                                      // the format's default
    private const int ChunkBytes = 8 << 20;

    /// <summary>Writes a checkpoint as a GGUF v3 file with its vocabulary, one tensor at a time; beside the target first, then renamed.</summary>
    /// <remarks>
    /// The file opens in llama.cpp. Norms are F32. A matrix whose rows are no multiple of 32 weights is written as F16 where a block format is
    /// asked for; one that has the format already is copied as it is. A tied head is left out. Without a tokenizer the file names
    /// the vocabulary <c>no_vocab</c>; ids beyond the tokenizer's get unused pieces. The defaults of <c>generation_config.json</c> have no place
    /// in the format. Rows are encoded on all processors; the memory needed does not grow with the model.
    /// </remarks>
    /// <param name="checkpoint">What to write.</param>
    /// <param name="path">The file; replaced if it exists. Until it is complete its bytes are in <c>path.partial</c>.</param>
    /// <param name="format">The format of the matrices: F32, F16, BF16, Q8_0 or Q4_0.</param>
    /// <param name="progress">Told after each tensor, with bytes of the file to be.</param>
    /// <param name="cancellationToken">Seen between rows; nothing is left behind then.</param>
    /// <exception cref="NotSupportedException">
    /// The format is one that is only read, or the model has what GGUF cannot say (dynamic rope scaling, more than three ids that end a text).
    /// </exception>
    /// <exception cref="CheckpointException">A weight cannot be stored in the format, or the tokenizer has more ids than the model.</exception>
    /// <exception cref="IOException">The file cannot be written; what stood at <paramref name="path"/> still does.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled; what stood at <paramref name="path"/> still does.</exception>
    public static void Write(
        Checkpoint checkpoint, string path, WeightFormat format, IProgress<LoadProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!WeightCodec.CanEncode(format))
        {
            throw new NotSupportedException($"{format} is read, not written; choose F32, F16, BF16, Q8_0 or Q4_0.");
        }

        cancellationToken.ThrowIfCancellationRequested();
        var header = new GgufHeaderWriter();
        GgufMetadataWriter.Write(header, checkpoint, format);
        var tensors = new List<PlacedTensor>();
        long size = 0;
        foreach ((string name, int rows, int columns) in TensorNames.Required(checkpoint.Config))
        {
            var tensor = new PlacedTensor(checkpoint.Tensors[name], GgufNames.ToGguf(name), Choose(format, name, columns), size);
            header.AddTensor(tensor.Name, tensor.Format, rows, columns, size);
            tensors.Add(tensor);
            size += (tensor.ByteSize + Alignment - 1) / Alignment * Alignment;
        }

        WriteBeside(path, header.ToArray(Alignment), size, file =>
        {
            foreach (PlacedTensor tensor in tensors)
            {
                WriteTensor(file, checkpoint, tensor, cancellationToken);
                progress?.Report(new(tensor.Offset + tensor.ByteSize, size, tensor.Source.Name));
            }
        });
    }

    private static WeightFormat Choose(WeightFormat format, string name, int columns) =>
        GgufNames.IsNorm(GgufNames.ToGguf(name)) ? WeightFormat.F32
        : columns % format.BlockLength() == 0 ? format
        : WeightFormat.F16;

    /// <summary>Writes a file under another name, then renames it; whatever fails leaves nothing.</summary>
    private static void WriteBeside(string path, byte[] header, long size, Action<FileStream> write)
    {
        string partial = path + ".partial";
        var file = new FileStream(partial, new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            Share = FileShare.None,
            BufferSize = 0,
            PreallocationSize = header.Length + size,                                      // a full disk fails now, not after an hour
        });
        try
        {
            using (file)
            {
                file.Write(header);
                write(file);
                file.Flush(flushToDisk: true);
            }

            File.Move(partial, path, overwrite: true);
        }
        catch
        {
            File.Delete(partial);
            throw;
        }
    }

    /// <summary>Encodes a few megabytes of rows on all processors, writes them, and so on; then pads.</summary>
    private static void WriteTensor(FileStream file, Checkpoint checkpoint, PlacedTensor tensor, CancellationToken cancellationToken)
    {
        int rowsPerChunk = Math.Clamp(ChunkBytes / tensor.RowBytes, 1, tensor.Source.Rows);
        byte[] chunk = ArrayPool<byte>.Shared.Rent(rowsPerChunk * tensor.RowBytes);
        int rotaryHeadSize = GgufNames.IsRotary(tensor.Name) ? checkpoint.Config.HeadSize : 0;
        var options = new ParallelOptions { CancellationToken = cancellationToken };
        try
        {
            for (int first = 0; first < tensor.Source.Rows; first += rowsPerChunk)
            {
                int start = first, count = Math.Min(rowsPerChunk, tensor.Source.Rows - first);
                Parallel.For(0, count, options, i =>
                {
                    int row = rotaryHeadSize == 0 ? start + i : RotaryOrder.HalvedRow(start + i, rotaryHeadSize);
                    tensor.Source.EncodeRow(row, tensor.Format, chunk.AsSpan(i * tensor.RowBytes, tensor.RowBytes), checkpoint.Path);
                });
                file.Write(chunk, 0, count * tensor.RowBytes);
            }
        }
        catch (AggregateException exception)
        {
            ExceptionDispatchInfo.Throw(exception.InnerExceptions[0]);                     // the others say the same of other rows
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(chunk);
        }

        file.Write(new byte[-tensor.ByteSize & (Alignment - 1)]);
    }

    /// <summary>A tensor, its GGUF name, the format to write it in, and its offset behind the header.</summary>
    private sealed record PlacedTensor(CheckpointTensor Source, string Name, WeightFormat Format, long Offset)
    {
        public int RowBytes { get; } = checked((int)Format.RowBytes(Source.Columns));

        public long ByteSize => (long)Source.Rows * RowBytes;
    }
}
