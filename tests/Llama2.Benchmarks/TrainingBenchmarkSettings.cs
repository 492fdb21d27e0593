using System.Text.Json;

namespace Llama2.Benchmarks;

/// <summary>What is trained and how, as <c>peers/training-speed.json</c> says for both sides.</summary>
internal sealed record TrainingBenchmarkSettings(
    LlamaConfig Config, int Batch, int Length, int Steps, int Batches, double LearningRate, double MaximumNorm, int Seed)
{
    public static TrainingBenchmarkSettings Read(string path)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
        JsonElement root = document.RootElement;
        int hidden = Whole("hidden_size"), heads = Whole("num_attention_heads");
        return new(
            new()
            {
                HiddenSize = hidden,
                IntermediateSize = Whole("intermediate_size"),
                LayerCount = Whole("num_hidden_layers"),
                HeadCount = heads,
                KeyValueHeadCount = heads,
                HeadSize = hidden / heads,
                VocabularySize = Whole("vocab_size"),
                ContextLength = Whole("sequence_length"),
                RmsNormEpsilon = 1e-5f,
                TieWordEmbeddings = root.GetProperty("tie_word_embeddings").GetBoolean(),
            },
            Whole("batch_size"), Whole("sequence_length"), Whole("steps"), Whole("batches"),
            root.GetProperty("learning_rate").GetDouble(), root.GetProperty("max_grad_norm").GetDouble(), Whole("seed"));

        int Whole(string name) => root.GetProperty(name).GetInt32();
    }
}
