using System.Text.Encodings.Web;
using System.Text.Json;

namespace Llama2;

/// <summary>Writes Hugging Face folders.</summary>
public static class HuggingFaceFolder
{
    private const long DefaultShardBytes = 5_000_000_000;       // what transformers itself takes
    private static readonly JsonWriterOptions _indented = new()
    {
        Indented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,      // a file for people: <s> stays <s>
    };

    /// <summary>Writes a checkpoint as a Hugging Face folder with its tokenizer, one tensor at a time; beside the target first, then renamed.</summary>
    /// <remarks>Weights above 5 GB are written in shards with an index. A tied head stays tied.</remarks>
    /// <param name="checkpoint">What to write.</param>
    /// <param name="path">The folder; made if it is missing, refused if it holds anything.</param>
    /// <param name="format">The format of all tensors: F32, F16 or BF16.</param>
    /// <param name="progress">Told after each tensor.</param>
    /// <param name="cancellationToken">Seen between rows; nothing is left behind then.</param>
    /// <exception cref="ArgumentException">Safetensors have no such format.</exception>
    /// <exception cref="IOException">The folder holds something, is a file, or cannot be written.</exception>
    /// <exception cref="CheckpointException">The checkpoint or its tokenizer is damaged.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static void Write(
        Checkpoint checkpoint, string path, WeightFormat format, IProgress<LoadProgress>? progress = null, CancellationToken cancellationToken = default) =>
        Write(checkpoint, path, format, DefaultShardBytes, progress, cancellationToken);

    internal static void Write(
        Checkpoint checkpoint, string path, WeightFormat format, long shardBytes,
        IProgress<LoadProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        if (format is not (WeightFormat.F32 or WeightFormat.F16 or WeightFormat.BF16))
        {
            throw new ArgumentException($"Safetensors hold F32, F16 or BF16, not {format}; block formats go into a GGUF file.", nameof(format));
        }

        NewFolder.Write(path, "a checkpoint", folder =>
        {
            WriteJson(Path.Combine(folder, HuggingFaceCheckpoint.ConfigName), json => WriteConfig(json, checkpoint.Config, format));
            WriteJson(Path.Combine(folder, HuggingFaceCheckpoint.GenerationConfigName), json => WriteGeneration(json, checkpoint));
            if (checkpoint.LoadTokenizer() is { } tokenizer)
            {
                SentencePieceModelWriter.Write(tokenizer, Path.Combine(folder, "tokenizer.model"));
                WriteJson(Path.Combine(folder, "tokenizer_config.json"), json => WriteTokenizerConfig(json, checkpoint.Config, tokenizer));
            }

            WriteWeights(checkpoint, folder, format, shardBytes, progress, cancellationToken);
        });
    }

    private static void WriteWeights(
        Checkpoint checkpoint, string folder, WeightFormat format, long shardBytes, IProgress<LoadProgress>? progress, CancellationToken cancellationToken)
    {
        CheckpointTensor[] tensors = [.. TensorNames.Required(checkpoint.Config).Select(required => checkpoint.Tensors[required.Name])];
        List<List<CheckpointTensor>> shards = Split(tensors, format, shardBytes);
        long written = 0, total = tensors.Sum(tensor => SafetensorsWriter.ByteSize(tensor, format));
        var index = new List<(string Tensor, string File)>();
        for (int i = 0; i < shards.Count; i++)
        {
            string name = shards.Count == 1 ? HuggingFaceCheckpoint.WeightsName : $"model-{i + 1:00000}-of-{shards.Count:00000}.safetensors";
            index.AddRange(shards[i].Select(tensor => (tensor.Name, name)));
            SafetensorsWriter.Write(Path.Combine(folder, name), checkpoint.Path, shards[i], format, Report, cancellationToken);
        }

        if (shards.Count > 1)
        {
            WriteJson(Path.Combine(folder, HuggingFaceCheckpoint.IndexName), json => WriteIndex(json, index, total));
        }

        void Report(CheckpointTensor tensor) => progress?.Report(new(written += SafetensorsWriter.ByteSize(tensor, format), total, tensor.Name));
    }

    /// <summary>Tensors in their order, as many to a shard as fit, but at least one.</summary>
    private static List<List<CheckpointTensor>> Split(CheckpointTensor[] tensors, WeightFormat format, long shardBytes)
    {
        var shards = new List<List<CheckpointTensor>>();
        long room = 0;
        foreach (CheckpointTensor tensor in tensors)
        {
            long size = SafetensorsWriter.ByteSize(tensor, format);
            if (shards.Count == 0 || size > room)
            {
                shards.Add([]);
                room = shardBytes;
            }

            shards[^1].Add(tensor);
            room -= size;
        }

        return shards;
    }

    private static void WriteConfig(Utf8JsonWriter json, LlamaConfig config, WeightFormat format)
    {
        json.WriteStartArray("architectures");
        json.WriteStringValue("LlamaForCausalLM");
        json.WriteEndArray();
        json.WriteString("model_type", "llama");
        json.WriteString("hidden_act", "silu");
        json.WriteNumber("hidden_size", config.HiddenSize);
        json.WriteNumber("intermediate_size", config.IntermediateSize);
        json.WriteNumber("num_hidden_layers", config.LayerCount);
        json.WriteNumber("num_attention_heads", config.HeadCount);
        json.WriteNumber("num_key_value_heads", config.KeyValueHeadCount);
        json.WriteNumber("head_dim", config.HeadSize);
        json.WriteNumber("vocab_size", config.VocabularySize);
        json.WriteNumber("max_position_embeddings", config.ContextLength);
        json.WriteNumber("rms_norm_eps", config.RmsNormEpsilon);
        json.WriteNumber("rope_theta", config.RopeTheta);
        if (config.RopeScaling is { } scaling)
        {
            string kind = scaling.Kind == RopeScalingKind.Linear ? "linear" : "dynamic";
            json.WriteStartObject("rope_scaling");
            json.WriteString("type", kind);                     // transformers before 4.45 knows only this name
            json.WriteString("rope_type", kind);
            json.WriteNumber("factor", scaling.Factor);
            json.WriteEndObject();
        }
        else
        {
            json.WriteNull("rope_scaling");
        }

        json.WriteBoolean("tie_word_embeddings", config.TieWordEmbeddings);
        json.WriteBoolean("attention_bias", false);
        json.WriteBoolean("mlp_bias", false);
        WriteIds(json, config);
        json.WriteString("torch_dtype", format switch { WeightFormat.F16 => "float16", WeightFormat.BF16 => "bfloat16", _ => "float32" });
    }

    private static void WriteGeneration(Utf8JsonWriter json, Checkpoint checkpoint)
    {
        GenerationOptions options = checkpoint.GenerationDefaults;
        WriteIds(json, checkpoint.Config);
        if (options.DoSample is bool sample)
        {
            json.WriteBoolean("do_sample", sample);
        }

        Number("temperature", options.Temperature);
        Integer("top_k", options.TopK);
        Number("top_p", options.TopP);
        Number("min_p", options.MinP);
        Number("typical_p", options.TypicalP);
        Number("repetition_penalty", options.RepetitionPenalty);
        Integer("no_repeat_ngram_size", options.NoRepeatNgramSize);
        Integer("max_new_tokens", options.MaxNewTokens);
        Integer("min_new_tokens", options.MinNewTokens);

        void Number(string name, float? value)
        {
            if (value is float number)
            {
                json.WriteNumber(name, number);
            }
        }

        void Integer(string name, int? value)
        {
            if (value is int number)
            {
                json.WriteNumber(name, number);
            }
        }
    }

    private static void WriteIds(Utf8JsonWriter json, LlamaConfig config)
    {
        json.WriteNumber("bos_token_id", config.BeginOfTextId);
        switch (config.EndOfTextIds)
        {
            case []:
                json.WriteNull("eos_token_id");
                break;
            case [int id]:
                json.WriteNumber("eos_token_id", id);
                break;
            default:
                json.WriteStartArray("eos_token_id");
                foreach (int id in config.EndOfTextIds)
                {
                    json.WriteNumberValue(id);
                }

                json.WriteEndArray();
                break;
        }
    }

    private static void WriteTokenizerConfig(Utf8JsonWriter json, LlamaConfig config, LlamaTokenizer tokenizer)
    {
        json.WriteString("tokenizer_class", "LlamaTokenizer");
        json.WriteBoolean("add_bos_token", true);
        json.WriteBoolean("add_eos_token", false);
        json.WriteString("bos_token", tokenizer.GetPiece(tokenizer.BeginOfTextId));
        json.WriteString("eos_token", tokenizer.GetPiece(tokenizer.EndOfTextId));
        json.WriteString("unk_token", tokenizer.GetPiece(tokenizer.UnknownId));
        json.WriteBoolean("clean_up_tokenization_spaces", false);
        json.WriteBoolean("legacy", true);
        json.WriteNumber("model_max_length", config.ContextLength);
    }

    private static void WriteIndex(Utf8JsonWriter json, List<(string Tensor, string File)> index, long total)
    {
        json.WriteStartObject("metadata");
        json.WriteNumber("total_size", total);
        json.WriteEndObject();
        json.WriteStartObject("weight_map");
        foreach ((string tensor, string file) in index)
        {
            json.WriteString(tensor, file);
        }

        json.WriteEndObject();
    }

    private static void WriteJson(string path, Action<Utf8JsonWriter> write)
    {
        using var stream = new FileStream(path, FileMode.CreateNew, FileAccess.Write);
        using (var json = new Utf8JsonWriter(stream, _indented))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }

        stream.WriteByte((byte)'\n');
    }
}
