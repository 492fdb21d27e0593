namespace Llama2;

/// <summary>The matrices of a file that <c>torch.save</c> wrote, used where they lie.</summary>
internal sealed class TorchArchive
{
    private readonly MappedFile _file;
    private readonly IReadOnlyDictionary<string, ZipPlace> _entries;
    private readonly IReadOnlyDictionary<string, TorchTensor> _tensors;
    private readonly string _folder;

    public TorchArchive(MappedFile file)
    {
        _file = file;
        _entries = StoredZip.Read(file);
        string[] pickles = [.. _entries.Keys.Where(name => name.EndsWith("/data.pkl", StringComparison.Ordinal)).Take(2)];
        if (pickles.Length != 1)
        {
            throw Error("data.pkl", $"{(pickles.Length == 0 ? "none" : "several")} in the archive", "one");
        }

        _folder = pickles[0][..^"data.pkl".Length];
        if (_entries.TryGetValue($"{_folder}byteorder", out ZipPlace order)
            && !file.Span(order.Offset, (int)Math.Min(order.Length, 16)).SequenceEqual("little"u8))
        {
            throw Error("byteorder", "another order", "little");
        }

        ZipPlace pickle = _entries[pickles[0]];
        _tensors = TorchUnpickler.Read(file.Path, file.Span(pickle.Offset, (int)Math.Min(pickle.Length, int.MaxValue)));
    }

    public bool Contains(string name) => _tensors.ContainsKey(name);

    /// <summary>A vector or matrix under the name that the library knows it by.</summary>
    /// <param name="name">The name in the archive.</param>
    /// <param name="libraryName">The name of the result.</param>
    /// <param name="interleavedHeadSize">As <see cref="MappedTensor"/> takes it.</param>
    public MappedTensor Open(string name, string libraryName, int interleavedHeadSize = 0)
    {
        if (!_tensors.TryGetValue(name, out TorchTensor? tensor))
        {
            throw Error("tensors", $"no '{name}'", "every tensor of the shape");
        }

        (WeightFormat format, int bytes) = tensor.Storage.Type switch
        {
            "FloatStorage" => (WeightFormat.F32, 4),
            "HalfStorage" => (WeightFormat.F16, 2),
            "BFloat16Storage" => (WeightFormat.BF16, 2),
            _ => throw Error($"tensor '{name}'", tensor.Storage.Type, "FloatStorage, HalfStorage or BFloat16Storage"),
        };
        (int rows, int columns) = tensor.Shape switch
        {
            [long length and > 0 and <= int.MaxValue] when tensor.Strides is [1] => (1, (int)length),
            [long height and > 0 and <= int.MaxValue, long width and > 0 and <= int.MaxValue] when tensor.Strides is [long stride, 1] && stride == width
                => ((int)height, (int)width),
            _ => throw Error(
                $"tensor '{name}'", $"shape [{string.Join(", ", tensor.Shape)}], strides [{string.Join(", ", tensor.Strides)}]",
                "a vector or matrix in row order"),
        };
        if (!_entries.TryGetValue($"{_folder}data/{tensor.Storage.Key}", out ZipPlace place))
        {
            throw Error($"tensor '{name}'", $"storage '{tensor.Storage.Key}', which is missing", "one of the archive");
        }

        long count = (long)rows * columns, held = place.Length / bytes;
        if (tensor.Storage.Count > held || count > tensor.Storage.Count || tensor.Offset > tensor.Storage.Count - count)
        {
            string found = $"{count:N0} numbers from {tensor.Offset:N0} in a storage of {tensor.Storage.Count:N0}";
            throw Error($"tensor '{name}'", found, $"a place within the {held:N0} of its entry");
        }

        return new(libraryName, format, rows, columns, _file, place.Offset + tensor.Offset * bytes, interleavedHeadSize);
    }

    private CheckpointException Error(string field, string found, string expected) => new(_file.Path, field, found, expected);
}
