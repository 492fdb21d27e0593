using System.Buffers.Binary;
using System.Globalization;
using System.Text.Json;

namespace Llama2.Training;

/// <summary>
/// The files from which training resumes: eight bytes of name, the length of a JSON object, the object, then parameters, both moments of the
/// optimiser and the best parameters so far, as little-endian floats.
/// </summary>
/// <remarks>A file is written beside its place, flushed to the disk and renamed: what has a file's name is whole.</remarks>
internal static unsafe class TrainerStateFile
{
    private const int MaxJsonBytes = 1 << 28;
    private const int ChunkFloats = 1 << 22;
    private const string Prefix = "step-";
    private const string Extension = ".training";

    private static ReadOnlySpan<byte> Magic => "L2TRAIN1"u8;

    /// <summary>Writes the state, and deletes the oldest files beyond the limit.</summary>
    public static void Write(string folder, TrainerState state, ReadOnlySpan<TrainerArray> arrays, int? limit)
    {
        Directory.CreateDirectory(folder);
        foreach (string broken in Directory.EnumerateFiles(folder, $"{Prefix}*{Extension}.*.tmp"))
        {
            File.Delete(broken);                             // left by a process that was killed while it wrote
        }

        string path = Path.Combine(folder, $"{Prefix}{state.Step:D9}{Extension}"), draft = $"{path}.{Guid.NewGuid():N}.tmp";
        try
        {
            using (var stream = new FileStream(draft, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0))
            {
                byte[] json = JsonSerializer.SerializeToUtf8Bytes(state, TrainerStateContext.Default.TrainerState);
                byte[] length = new byte[sizeof(int)];
                BinaryPrimitives.WriteInt32LittleEndian(length, json.Length);
                stream.Write(Magic);
                stream.Write(length);
                stream.Write(json);
                foreach (TrainerArray array in arrays)
                {
                    for (long at = 0; at < array.Length; at += ChunkFloats)
                    {
                        stream.Write(array.Bytes(at, ChunkFloats));
                    }
                }

                stream.Flush(flushToDisk: true);
            }

            File.Move(draft, path, overwrite: true);
        }
        catch
        {
            File.Delete(draft);
            throw;
        }

        foreach ((_, string old) in Files(folder).Skip(limit ?? int.MaxValue))
        {
            File.Delete(old);
        }
    }

    /// <summary>The newest file, or <see langword="null"/> where there is none.</summary>
    public static string? Newest(string folder) => Files(folder).Select(file => file.Path).FirstOrDefault();

    /// <summary>Reads the state; the arrays are filled once it is known to belong to this run.</summary>
    /// <exception cref="CheckpointException">The file is damaged or belongs to another run.</exception>
    public static TrainerState Read(string path, string fingerprint, Func<TrainerState, TrainerArray[]> arrays)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        Span<byte> head = stackalloc byte[12];
        if (stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false) < head.Length || !head[..8].SequenceEqual(Magic))
        {
            throw new CheckpointException(path, "first bytes", "others", "those of a training state");
        }

        int length = BinaryPrimitives.ReadInt32LittleEndian(head[8..]);
        if (length < 2 || length > Math.Min(MaxJsonBytes, stream.Length - head.Length))
        {
            throw new CheckpointException(path, "length of the state", $"{length:N0}", $"at most the {stream.Length - head.Length:N0} bytes behind it");
        }

        byte[] json = new byte[length];
        stream.ReadExactly(json);
        TrainerState state = Parse(path, json);
        if (state.Fingerprint != fingerprint)
        {
            throw new CheckpointException(path, "run", state.Fingerprint, fingerprint);
        }

        TrainerArray[] targets = arrays(state);
        long expected = targets.Sum(array => array.Length) * sizeof(float), found = stream.Length - stream.Position;
        if (expected != found)
        {
            throw new CheckpointException(path, "numbers", $"{found:N0} bytes", $"{expected:N0}");
        }

        foreach (TrainerArray array in targets)
        {
            for (long at = 0; at < array.Length; at += ChunkFloats)
            {
                stream.ReadExactly(array.Bytes(at, ChunkFloats));
            }
        }

        return state;
    }

    private static TrainerState Parse(string path, byte[] json)
    {
        try
        {
            return JsonSerializer.Deserialize(json, TrainerStateContext.Default.TrainerState) ?? throw new JsonException("null");
        }
        catch (JsonException exception)
        {
            throw new CheckpointException(path, "state", exception.Message.TrimEnd('.'), "the JSON of a training state", exception);
        }
    }

    /// <summary>All files, newest first.</summary>
    private static IEnumerable<(long Step, string Path)> Files(string folder)
    {
        if (!Directory.Exists(folder))
        {
            return [];
        }

        var files = new List<(long Step, string Path)>();
        foreach (string path in Directory.EnumerateFiles(folder, $"{Prefix}*{Extension}"))
        {
            string name = Path.GetFileNameWithoutExtension(path);
            if (long.TryParse(name.AsSpan(Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out long step))
            {
                files.Add((step, path));
            }
        }

        return files.OrderByDescending(file => file.Step);
    }
}

/// <summary>Floats of a training state.</summary>
internal readonly unsafe struct TrainerArray(float* start, long length)
{
    public long Length { get; } = length;

    public Span<byte> Bytes(long at, int most) => new(start + at, checked((int)Math.Min(most, Length - at) * sizeof(float)));
}
