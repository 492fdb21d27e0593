namespace Llama2.Testing;

/// <summary>The Llama forward pass written down once more, in double precision and without any cleverness: what every backend is compared with.</summary>
/// <remarks>Whole sequences only: every call reads all tokens from the beginning, so there is no cache to get wrong.</remarks>
public sealed class ReferenceModel
{
    private readonly LlamaConfig _config;
    private readonly Dictionary<string, double[][]> _tensors;
    private readonly Dictionary<string, (double[][] A, double[][] B)> _adapter = [];
    private readonly double _scale;

    public ReferenceModel(Checkpoint checkpoint, LoraAdapter? adapter = null)
    {
        _config = checkpoint.Config;
        _tensors = checkpoint.Tensors.Values.ToDictionary(tensor => tensor.Name, Rows);
        if (adapter is not null)
        {
            LoraOptions lora = adapter.Options;
            _scale = lora.Alpha / (lora.RankStabilized ? Math.Sqrt(lora.Rank) : lora.Rank);
            _adapter = adapter.Factors.ToDictionary(factors => factors.Weight, factors => (Rows(factors.A), Rows(factors.B)));
        }
    }

    /// <summary>The logits behind every token: [tokens][vocabulary].</summary>
    public double[][] Logits(IReadOnlyList<int> tokens)
    {
        double[][] hidden = [.. tokens.Select(token => (double[])Tensor("model.embed_tokens.weight")[token].Clone())];
        for (int layer = 0; layer < _config.LayerCount; layer++)
        {
            string block = $"model.layers.{layer}.";
            double[][] normed = [.. hidden.Select(row => RmsNorm(row, block + "input_layernorm.weight"))];
            double[][] attended = Attention(block + "self_attn.", normed);
            AddTo(hidden, attended);
            normed = [.. hidden.Select(row => RmsNorm(row, block + "post_attention_layernorm.weight"))];
            AddTo(hidden, [.. normed.Select(row => FeedForward(block + "mlp.", row))]);
        }

        string head = _config.TieWordEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight";
        return [.. hidden.Select(row => Multiply(head, RmsNorm(row, "model.norm.weight")))];
    }

    private double[][] Attention(string block, double[][] normed)
    {
        int size = _config.HeadSize, group = _config.HeadCount / _config.KeyValueHeadCount;
        double[] frequencies = Frequencies(normed.Length);
        double[][] queries = [.. normed.Select((row, position) => Rotate(Multiply(block + "q_proj.weight", row), position, frequencies))];
        double[][] keys = [.. normed.Select((row, position) => Rotate(Multiply(block + "k_proj.weight", row), position, frequencies))];
        double[][] values = [.. normed.Select(row => Multiply(block + "v_proj.weight", row))];
        return [.. queries.Select((query, position) =>
        {
            double[] attended = new double[query.Length];
            for (int head = 0; head < _config.HeadCount; head++)
            {
                int own = head * size, shared = head / group * size;
                double[] scores = [.. Enumerable.Range(0, position + 1).Select(past =>
                    Enumerable.Range(0, size).Sum(i => query[own + i] * keys[past][shared + i]) / Math.Sqrt(size))];
                double largest = scores.Max();
                double[] weights = [.. scores.Select(score => Math.Exp(score - largest))];
                double sum = weights.Sum();
                for (int i = 0; i < size; i++)
                {
                    attended[own + i] = Enumerable.Range(0, position + 1).Sum(past => weights[past] / sum * values[past][shared + i]);
                }
            }

            return Multiply(block + "o_proj.weight", attended);
        })];
    }

    private double[] FeedForward(string block, double[] row)
    {
        double[] gate = Multiply(block + "gate_proj.weight", row), up = Multiply(block + "up_proj.weight", row);
        return Multiply(block + "down_proj.weight", [.. gate.Select((value, i) => value / (1 + Math.Exp(-value)) * up[i])]);
    }

    private double[] Frequencies(int length)
    {
        double theta = _config.RopeTheta, divisor = 1;
        if (_config.RopeScaling is { Kind: RopeScalingKind.Linear } linear)
        {
            divisor = linear.Factor;
        }
        else if (_config.RopeScaling is { } dynamic && length > _config.ContextLength)
        {
            double stretch = dynamic.Factor * (double)length / _config.ContextLength - (dynamic.Factor - 1);
            theta *= Math.Pow(stretch, _config.HeadSize / (_config.HeadSize - 2.0));
        }

        return [.. Enumerable.Range(0, _config.HeadSize / 2).Select(i => 1 / Math.Pow(theta, 2.0 * i / _config.HeadSize) / divisor)];
    }

    private double[] Rotate(double[] heads, int position, double[] frequencies)
    {
        int size = _config.HeadSize, half = size / 2;
        double[] rotated = new double[heads.Length];
        for (int head = 0; head < heads.Length; head += size)
        {
            for (int i = 0; i < half; i++)
            {
                (double sine, double cosine) = Math.SinCos(position * frequencies[i]);
                double x = heads[head + i], y = heads[head + half + i];
                rotated[head + i] = x * cosine - y * sine;
                rotated[head + half + i] = x * sine + y * cosine;
            }
        }

        return rotated;
    }

    private double[] RmsNorm(double[] row, string weight)
    {
        double scale = 1 / Math.Sqrt(row.Sum(value => value * value) / row.Length + _config.RmsNormEpsilon);
        return [.. row.Select((value, i) => value * scale * Tensor(weight)[0][i])];
    }

    private double[] Multiply(string weight, double[] input)
    {
        double[] product = Product(Tensor(weight), input);
        if (!_adapter.TryGetValue(weight, out (double[][] A, double[][] B) factors))
        {
            return product;
        }

        double[] added = Product(factors.B, Product(factors.A, input));
        return [.. product.Select((value, i) => value + _scale * added[i])];
    }

    private static double[] Product(double[][] matrix, double[] input) =>
        [.. matrix.Select(row =>
        {
            double sum = 0;
            for (int i = 0; i < row.Length; i++)
            {
                sum += row[i] * input[i];
            }

            return sum;
        })];

    private double[][] Tensor(string name) => _tensors[name];

    private static void AddTo(double[][] sum, double[][] addend)
    {
        for (int row = 0; row < sum.Length; row++)
        {
            for (int i = 0; i < sum[row].Length; i++)
            {
                sum[row][i] += addend[row][i];
            }
        }
    }

    private static double[][] Rows(CheckpointTensor tensor) => [.. Enumerable.Range(0, tensor.Rows).Select(row =>
    {
        float[] decoded = new float[tensor.Columns];
        tensor.ReadRow(row, decoded);
        return Array.ConvertAll(decoded, value => (double)value);
    })];
}
